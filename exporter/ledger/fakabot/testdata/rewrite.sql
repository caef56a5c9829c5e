-- Schema for tests of the rewrite of fakabot, on PostgreSQL.
CREATE TABLE products (
  id bigserial PRIMARY KEY, tenant_id bigint NOT NULL, name varchar(255) NOT NULL, delivery_type varchar(32) NOT NULL,
  external_source varchar(64), external_id varchar(128), status varchar(32) NOT NULL DEFAULT 'draft');
CREATE TABLE inventory_items (
  id bigserial PRIMARY KEY, tenant_id bigint NOT NULL, product_id bigint NOT NULL, variant_id bigint,
  content_encrypted text NOT NULL DEFAULT 'K', status varchar(32) NOT NULL DEFAULT 'available', locked_by_order_id bigint, used_by_order_id bigint);
CREATE INDEX ix_inventory_items_tenant_product_variant_status ON inventory_items(tenant_id, product_id, variant_id, status);
CREATE TABLE orders (
  id bigserial PRIMARY KEY, tenant_id bigint NOT NULL, buyer_telegram_user_id bigint NOT NULL,
  source_type varchar(32) NOT NULL, self_product_id bigint, product_variant_id bigint, reseller_product_id bigint,
  amount numeric(20,8) NOT NULL, currency varchar(16) NOT NULL, payment_mode varchar(32) NOT NULL, payment_provider varchar(64),
  status varchar(32) NOT NULL, out_trade_no varchar(96) NOT NULL UNIQUE, expires_at timestamptz NOT NULL,
  paid_at timestamptz, delivered_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ix_orders_tenant_status_created_at ON orders(tenant_id, status, created_at);
CREATE INDEX ix_orders_expires_at ON orders(expires_at);
CREATE TABLE payments (
  id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders(id), tenant_id bigint NOT NULL, provider varchar(64) NOT NULL,
  amount numeric(20,8) NOT NULL, currency varchar(16) NOT NULL, status varchar(32) NOT NULL, paid_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ix_payments_order_id ON payments(order_id);
CREATE INDEX ix_payments_tenant_status ON payments(tenant_id, status);
CREATE TABLE payment_callbacks (
  id bigserial PRIMARY KEY, provider varchar(64) NOT NULL, out_trade_no varchar(96) NOT NULL, process_status varchar(32) NOT NULL,
  error_message text, retry_count integer NOT NULL DEFAULT 0, created_at timestamptz NOT NULL DEFAULT now(), processed_at timestamptz);
CREATE INDEX ix_payment_callbacks_process_status ON payment_callbacks(process_status);
CREATE TABLE delivery_records (
  id bigserial PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders(id), tenant_id bigint NOT NULL,
  buyer_telegram_user_id bigint NOT NULL, delivery_type varchar(32) NOT NULL, status varchar(32) NOT NULL, error_message text,
  sent_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT uq_delivery_records_order_id UNIQUE (order_id));
CREATE INDEX ix_delivery_records_tenant_status ON delivery_records(tenant_id, status);
