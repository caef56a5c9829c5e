-- Schema for tests of fakabot's bot of old, on SQLite.
CREATE TABLE products (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, price REAL NOT NULL, deliver_type TEXT NOT NULL DEFAULT 'join_group', status TEXT NOT NULL DEFAULT 'on');
CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL, product_id INTEGER NOT NULL, amount REAL NOT NULL,
  payment_method TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'pending', out_trade_no TEXT NOT NULL UNIQUE, create_time INTEGER NOT NULL,
  tier_id INTEGER);
CREATE TABLE card_keys (id INTEGER PRIMARY KEY AUTOINCREMENT, product_id INTEGER NOT NULL, key_text TEXT NOT NULL,
  used_by_order_id INTEGER, used_time INTEGER, create_time INTEGER NOT NULL, tier_id INTEGER);
CREATE INDEX idx_card_keys_prod_used ON card_keys(product_id, used_by_order_id);
CREATE TABLE product_tiers (id INTEGER PRIMARY KEY AUTOINCREMENT, product_id INTEGER NOT NULL, name TEXT NOT NULL, price REAL NOT NULL,
  deliver_type TEXT NOT NULL DEFAULT 'join_group', status TEXT NOT NULL DEFAULT 'on', create_time INTEGER NOT NULL);
CREATE INDEX idx_product_tiers_product_status ON product_tiers(product_id, status);
CREATE INDEX idx_orders_tier_id ON orders(tier_id);
CREATE INDEX idx_card_keys_tier_used ON card_keys(tier_id, used_by_order_id);
