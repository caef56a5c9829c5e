-- Schema for tests of dujiao-next on SQLite, the default of new installs.
-- Times are TEXT like 2026-11-22 07:00:00.123456789+08:00
CREATE TABLE payment_channels (
  id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, provider_type text NOT NULL, channel_type text NOT NULL,
  is_active numeric NOT NULL DEFAULT true, deleted_at datetime);
CREATE TABLE products (
  id integer PRIMARY KEY AUTOINCREMENT, slug text NOT NULL, title_json json NOT NULL, fulfillment_type varchar(20) NOT NULL DEFAULT 'manual',
  manual_stock_total integer NOT NULL DEFAULT 0, is_active numeric DEFAULT false, deleted_at datetime);
CREATE UNIQUE INDEX idx_products_slug ON products(slug);
CREATE TABLE card_secrets (
  id integer PRIMARY KEY AUTOINCREMENT, product_id integer NOT NULL, sku_id integer NOT NULL DEFAULT 0, secret text NOT NULL,
  status text NOT NULL, order_id integer, reserved_at datetime, used_at datetime,
  created_at datetime, updated_at datetime, deleted_at datetime);
CREATE INDEX idx_card_secret_reserve ON card_secrets(product_id, sku_id, status);
CREATE INDEX idx_card_secrets_order_id ON card_secrets(order_id);
CREATE INDEX idx_card_secrets_deleted_at ON card_secrets(deleted_at);
CREATE TABLE orders (
  id integer PRIMARY KEY AUTOINCREMENT, order_no text NOT NULL, parent_id integer, user_id integer NOT NULL,
  guest_email text, guest_password varchar(200), status text NOT NULL, currency text NOT NULL,
  total_amount decimal(20,2) NOT NULL DEFAULT 0, wallet_paid_amount decimal(20,2) NOT NULL DEFAULT 0,
  online_paid_amount decimal(20,2) NOT NULL DEFAULT 0, refunded_amount decimal(20,2) NOT NULL DEFAULT 0,
  expires_at datetime, paid_at datetime, canceled_at datetime,
  created_at datetime, updated_at datetime, deleted_at datetime);
CREATE UNIQUE INDEX idx_orders_order_no ON orders(order_no);
CREATE INDEX idx_orders_parent_id ON orders(parent_id);
CREATE INDEX idx_orders_user_id ON orders(user_id);
CREATE INDEX idx_orders_guest_email ON orders(guest_email);
CREATE INDEX idx_orders_status ON orders(status);
CREATE INDEX idx_orders_expires_at ON orders(expires_at);
CREATE INDEX idx_orders_paid_at ON orders(paid_at);
CREATE INDEX idx_orders_canceled_at ON orders(canceled_at);
CREATE INDEX idx_orders_created_at ON orders(created_at);
CREATE INDEX idx_orders_updated_at ON orders(updated_at);
CREATE INDEX idx_orders_deleted_at ON orders(deleted_at);
CREATE TABLE order_items (
  id integer PRIMARY KEY AUTOINCREMENT, order_id integer NOT NULL, product_id integer NOT NULL, sku_id integer NOT NULL DEFAULT 0,
  title_json json NOT NULL, quantity integer NOT NULL, fulfillment_type text NOT NULL,
  created_at datetime, updated_at datetime, deleted_at datetime);
CREATE INDEX idx_order_items_order_id ON order_items(order_id);
CREATE INDEX idx_order_items_product_id ON order_items(product_id);
CREATE TABLE fulfillments (
  id integer PRIMARY KEY AUTOINCREMENT, order_id integer NOT NULL, type text NOT NULL, status text NOT NULL, payload text,
  delivered_at datetime, created_at datetime, updated_at datetime, deleted_at datetime);
CREATE UNIQUE INDEX idx_fulfillments_order_id ON fulfillments(order_id);
CREATE INDEX idx_fulfillments_delivered_at ON fulfillments(delivered_at);
CREATE TABLE payments (
  id integer PRIMARY KEY AUTOINCREMENT, order_id integer NOT NULL, channel_id integer NOT NULL, provider_type text NOT NULL,
  channel_type text NOT NULL, amount decimal(20,2) NOT NULL, status text NOT NULL,
  created_at datetime, updated_at datetime, paid_at datetime, expired_at datetime, callback_at datetime, deleted_at datetime);
CREATE INDEX idx_payments_order_id ON payments(order_id);
CREATE INDEX idx_payments_channel_id ON payments(channel_id);
CREATE INDEX idx_payments_status ON payments(status);
CREATE INDEX idx_payments_created_at ON payments(created_at);
CREATE INDEX idx_payments_paid_at ON payments(paid_at);
