-- Schema for tests of dujiaoka 2.0.x (MySQL 5.7+/8, MariaDB). Only what an
-- exporter reads. Own layout; column names, types, defaults, keys are faithful.
-- No table prefix. All tables InnoDB; utf8mb4 throughout but for order_sn and email.
CREATE TABLE pays (
  id         int          NOT NULL AUTO_INCREMENT PRIMARY KEY,
  pay_name   varchar(200) NOT NULL,
  pay_check  varchar(50)  NOT NULL,
  is_open    tinyint(1)   NOT NULL DEFAULT 1,
  deleted_at timestamp    NULL DEFAULT NULL,
  UNIQUE KEY idx_pay_check (pay_check)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE goods (
  id           int           NOT NULL AUTO_INCREMENT PRIMARY KEY,
  gd_name      varchar(200)  NOT NULL,
  type         tinyint(1)    NOT NULL DEFAULT 1,
  in_stock     int           NOT NULL DEFAULT 0,
  sales_volume int           DEFAULT 0,
  is_open      tinyint(1)    NOT NULL DEFAULT 1,
  deleted_at   timestamp     NULL DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE carmis (
  id         bigint     NOT NULL AUTO_INCREMENT PRIMARY KEY,
  goods_id   int        NOT NULL,
  status     tinyint(1) NOT NULL DEFAULT 1,
  is_loop    tinyint(1) NOT NULL DEFAULT 0,
  carmi      text       NOT NULL,
  created_at timestamp  NULL DEFAULT NULL,
  updated_at timestamp  NULL DEFAULT NULL,
  deleted_at timestamp  NULL DEFAULT NULL,
  KEY idx_goods_id (goods_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE orders (
  id           bigint        NOT NULL AUTO_INCREMENT PRIMARY KEY,
  order_sn     varchar(150)  CHARACTER SET utf8 COLLATE utf8_unicode_ci NOT NULL,
  goods_id     int           NOT NULL,
  title        varchar(200)  NOT NULL,
  type         tinyint(1)    NOT NULL DEFAULT 1,
  buy_amount   int           NOT NULL DEFAULT 1,
  total_price  decimal(10,2) NOT NULL DEFAULT 0.00,
  actual_price decimal(10,2) NOT NULL DEFAULT 0.00,
  search_pwd   varchar(200)  DEFAULT '',
  email        varchar(200)  CHARACTER SET utf8 COLLATE utf8_unicode_ci NOT NULL,
  info         text,
  pay_id       int           DEFAULT NULL,
  buy_ip       varchar(50)   NOT NULL,
  trade_no     varchar(200)  DEFAULT '',
  status       tinyint(1)    NOT NULL DEFAULT 1,
  created_at   timestamp     NULL DEFAULT NULL,
  updated_at   timestamp     NULL DEFAULT NULL,
  deleted_at   timestamp     NULL DEFAULT NULL,
  UNIQUE KEY idx_order_sn (order_sn),
  KEY idx_goods_id (goods_id),
  KEY idex_email (email)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE failed_jobs (
  id         bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  connection text      NOT NULL,
  queue      text      NOT NULL,
  payload    longtext  NOT NULL,
  exception  longtext  NOT NULL,
  failed_at  timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
