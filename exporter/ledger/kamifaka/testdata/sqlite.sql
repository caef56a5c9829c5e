-- The tables of kamiFaka 1.x that matter here, less columns that nobody reads, as
-- SQLAlchemy makes them on SQLite: the key of a deleted newest row is given again.
CREATE TABLE prod_info (id INTEGER NOT NULL, name VARCHAR(150) NOT NULL, price FLOAT NOT NULL, auto BOOLEAN NOT NULL, isactive BOOLEAN NOT NULL,
  PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE card (id INTEGER NOT NULL, prod_name VARCHAR(50) NOT NULL, card TEXT NOT NULL, reuse BOOLEAN, isused BOOLEAN, PRIMARY KEY (id));
CREATE TABLE temporder (id INTEGER NOT NULL, out_order_id VARCHAR(50) NOT NULL, name VARCHAR(50) NOT NULL, payment VARCHAR(50) NOT NULL,
  contact VARCHAR(50), contact_txt TEXT, price FLOAT NOT NULL, num INTEGER NOT NULL, total_price FLOAT NOT NULL,
  status BOOLEAN, auto BOOLEAN NOT NULL, updatetime DATETIME NOT NULL, endtime DATETIME, PRIMARY KEY (id));
CREATE TABLE "order" (id INTEGER NOT NULL, out_order_id VARCHAR(50) NOT NULL, name VARCHAR(50) NOT NULL, payment VARCHAR(50) NOT NULL,
  contact VARCHAR(50), contact_txt TEXT, price FLOAT NOT NULL, num INTEGER NOT NULL, total_price FLOAT NOT NULL,
  card TEXT, status BOOLEAN, updatetime DATETIME NOT NULL, PRIMARY KEY (id));
