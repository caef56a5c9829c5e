-- The tables of qs-faka (ceef8ca) that matter here, less columns that nobody reads.
CREATE TABLE pay_channel (
  id    int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title varchar(255) NOT NULL DEFAULT '',
  code  varchar(50)  NOT NULL DEFAULT ''
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE goods (
  id        int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id   int unsigned NOT NULL,
  name      varchar(500) NOT NULL DEFAULT '',
  status    tinyint      NOT NULL DEFAULT 1,
  delete_at int          DEFAULT NULL,
  KEY user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE goods_card (
  id          int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id     int unsigned NOT NULL,
  goods_id    int unsigned NOT NULL,
  number      text,
  secret      text,
  status      tinyint      NOT NULL DEFAULT 1,
  create_at   int unsigned NOT NULL DEFAULT 0,
  delete_at   int          DEFAULT NULL,
  sell_time   int          DEFAULT NULL,
  unfreeze_at int          DEFAULT 0,
  KEY goods_card_goods_id_index (goods_id),
  KEY idx_goods_status_unfreeze_delete (goods_id,status,unfreeze_at,delete_at),
  KEY status (status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE order_card (
  id       int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  order_id int unsigned NOT NULL,
  number   text,
  secret   text,
  card_id  int          NOT NULL DEFAULT 0,
  KEY order_card_order_id_index (order_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `order` (
  id                 int unsigned           NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id            int unsigned           NOT NULL,
  goods_id           int unsigned           NOT NULL,
  trade_no           varchar(255)           DEFAULT NULL,
  channel_id         int unsigned           NOT NULL DEFAULT 0,
  quantity           int unsigned           NOT NULL DEFAULT 0,
  total_price        decimal(10,3) unsigned NOT NULL DEFAULT 0.000,
  take_card_password varchar(20)            NOT NULL DEFAULT '',
  contact            varchar(20)            NOT NULL DEFAULT '',
  email              varchar(60)            NOT NULL DEFAULT '',
  status             tinyint                NOT NULL DEFAULT 0,
  is_freeze          tinyint unsigned       NOT NULL DEFAULT 0,
  create_at          int unsigned           NOT NULL,
  success_at         int unsigned           NOT NULL DEFAULT 0,
  sendout            int unsigned           NOT NULL DEFAULT 0,
  KEY order_create_at_index (create_at),
  KEY index_contract (contact,status),
  KEY index_tp_count (user_id,status,success_at,channel_id),
  KEY goods_id (goods_id),
  KEY trade_no (trade_no),
  KEY channel_id (channel_id),
  KEY status (status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
