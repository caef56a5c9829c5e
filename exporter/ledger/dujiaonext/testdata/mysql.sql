-- Schema for tests of dujiao-next on MySQL or MariaDB, as its ORM makes it there: indexed texts are
-- varchar(191), but those under a unique index and all others longtext, times datetime(3).
CREATE TABLE payment_channels (
  id bigint unsigned AUTO_INCREMENT, name longtext NOT NULL, provider_type longtext NOT NULL, channel_type longtext NOT NULL,
  is_active boolean NOT NULL DEFAULT true, deleted_at datetime(3) NULL, PRIMARY KEY (id));
CREATE TABLE products (
  id bigint unsigned AUTO_INCREMENT, slug longtext NOT NULL, title_json json NOT NULL, fulfillment_type varchar(20) NOT NULL DEFAULT 'manual',
  manual_stock_total bigint NOT NULL DEFAULT 0, is_active boolean DEFAULT false, deleted_at datetime(3) NULL, PRIMARY KEY (id),
  UNIQUE INDEX idx_products_slug (slug), INDEX idx_products_is_active (is_active), INDEX idx_products_deleted_at (deleted_at));
CREATE TABLE card_secrets (
  id bigint unsigned AUTO_INCREMENT, product_id bigint unsigned NOT NULL, sku_id bigint unsigned NOT NULL DEFAULT 0, secret text NOT NULL,
  status varchar(191) NOT NULL, order_id bigint unsigned, reserved_at datetime(3) NULL, used_at datetime(3) NULL,
  created_at datetime(3) NULL, updated_at datetime(3) NULL, deleted_at datetime(3) NULL, PRIMARY KEY (id),
  INDEX idx_card_secret_reserve (product_id, sku_id, status), INDEX idx_card_secrets_order_id (order_id),
  INDEX idx_card_secrets_deleted_at (deleted_at));
CREATE TABLE orders (
  id bigint unsigned AUTO_INCREMENT, order_no longtext NOT NULL, parent_id bigint unsigned, user_id bigint unsigned NOT NULL,
  guest_email varchar(191), guest_password varchar(200), status varchar(191) NOT NULL, currency longtext NOT NULL,
  total_amount decimal(20,2) NOT NULL DEFAULT 0, wallet_paid_amount decimal(20,2) NOT NULL DEFAULT 0,
  online_paid_amount decimal(20,2) NOT NULL DEFAULT 0, refunded_amount decimal(20,2) NOT NULL DEFAULT 0,
  expires_at datetime(3) NULL, paid_at datetime(3) NULL, canceled_at datetime(3) NULL,
  created_at datetime(3) NULL, updated_at datetime(3) NULL, deleted_at datetime(3) NULL, PRIMARY KEY (id),
  UNIQUE INDEX idx_orders_order_no (order_no), INDEX idx_orders_parent_id (parent_id), INDEX idx_orders_user_id (user_id),
  INDEX idx_orders_guest_email (guest_email), INDEX idx_orders_status (status), INDEX idx_orders_expires_at (expires_at),
  INDEX idx_orders_paid_at (paid_at), INDEX idx_orders_canceled_at (canceled_at), INDEX idx_orders_created_at (created_at),
  INDEX idx_orders_updated_at (updated_at), INDEX idx_orders_deleted_at (deleted_at));
CREATE TABLE order_items (
  id bigint unsigned AUTO_INCREMENT, order_id bigint unsigned NOT NULL, product_id bigint unsigned NOT NULL,
  sku_id bigint unsigned NOT NULL DEFAULT 0, title_json json NOT NULL, quantity bigint NOT NULL, fulfillment_type longtext NOT NULL,
  created_at datetime(3) NULL, updated_at datetime(3) NULL, deleted_at datetime(3) NULL, PRIMARY KEY (id),
  INDEX idx_order_items_order_id (order_id), INDEX idx_order_items_product_id (product_id), INDEX idx_order_items_deleted_at (deleted_at));
CREATE TABLE fulfillments (
  id bigint unsigned AUTO_INCREMENT, order_id bigint unsigned NOT NULL, type longtext NOT NULL, status longtext NOT NULL, payload text,
  delivered_at datetime(3) NULL, created_at datetime(3) NULL, updated_at datetime(3) NULL, deleted_at datetime(3) NULL, PRIMARY KEY (id),
  UNIQUE INDEX idx_fulfillments_order_id (order_id), INDEX idx_fulfillments_delivered_at (delivered_at),
  INDEX idx_fulfillments_deleted_at (deleted_at));
CREATE TABLE payments (
  id bigint unsigned AUTO_INCREMENT, order_id bigint unsigned NOT NULL, channel_id bigint unsigned NOT NULL, provider_type longtext NOT NULL,
  channel_type longtext NOT NULL, amount decimal(20,2) NOT NULL, status varchar(191) NOT NULL,
  created_at datetime(3) NULL, updated_at datetime(3) NULL, paid_at datetime(3) NULL, expired_at datetime(3) NULL,
  callback_at datetime(3) NULL, deleted_at datetime(3) NULL, PRIMARY KEY (id),
  INDEX idx_payments_order_id (order_id), INDEX idx_payments_channel_id (channel_id), INDEX idx_payments_status (status),
  INDEX idx_payments_created_at (created_at), INDEX idx_payments_paid_at (paid_at), INDEX idx_payments_deleted_at (deleted_at));
