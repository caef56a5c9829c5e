-- The tables of kamiFaka 1.x that matter here, less columns that nobody reads, as
-- SQLAlchemy makes them on PostgreSQL.
CREATE TABLE prod_info (id SERIAL NOT NULL, name VARCHAR(150) NOT NULL, price FLOAT NOT NULL, auto BOOLEAN NOT NULL, isactive BOOLEAN NOT NULL,
  PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE card (id SERIAL NOT NULL, prod_name VARCHAR(50) NOT NULL, card TEXT NOT NULL, reuse BOOLEAN, isused BOOLEAN, PRIMARY KEY (id));
CREATE TABLE temporder (id SERIAL NOT NULL, out_order_id VARCHAR(50) NOT NULL, name VARCHAR(50) NOT NULL, payment VARCHAR(50) NOT NULL,
  contact VARCHAR(50), contact_txt TEXT, price FLOAT NOT NULL, num INTEGER NOT NULL, total_price FLOAT NOT NULL,
  status BOOLEAN, auto BOOLEAN NOT NULL, updatetime TIMESTAMP WITHOUT TIME ZONE NOT NULL, endtime TIMESTAMP WITHOUT TIME ZONE, PRIMARY KEY (id));
CREATE TABLE "order" (id SERIAL NOT NULL, out_order_id VARCHAR(50) NOT NULL, name VARCHAR(50) NOT NULL, payment VARCHAR(50) NOT NULL,
  contact VARCHAR(50), contact_txt TEXT, price FLOAT NOT NULL, num INTEGER NOT NULL, total_price FLOAT NOT NULL,
  card TEXT, status BOOLEAN, updatetime TIMESTAMP WITHOUT TIME ZONE NOT NULL, PRIMARY KEY (id));
