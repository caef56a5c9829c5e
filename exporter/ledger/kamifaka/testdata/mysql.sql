-- The tables of kamiFaka 1.x that matter here, less columns that nobody reads, as
-- SQLAlchemy makes them on MySQL and MariaDB.
CREATE TABLE prod_info (id INTEGER NOT NULL AUTO_INCREMENT, name VARCHAR(150) NOT NULL, price FLOAT NOT NULL, auto BOOL NOT NULL, isactive BOOL NOT NULL,
  PRIMARY KEY (id), UNIQUE (name)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE card (id INTEGER NOT NULL AUTO_INCREMENT, prod_name VARCHAR(50) NOT NULL, card TEXT NOT NULL, reuse BOOL, isused BOOL, PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE temporder (id INTEGER NOT NULL AUTO_INCREMENT, out_order_id VARCHAR(50) NOT NULL, name VARCHAR(50) NOT NULL, payment VARCHAR(50) NOT NULL,
  contact VARCHAR(50), contact_txt TEXT, price FLOAT NOT NULL, num INTEGER NOT NULL, total_price FLOAT NOT NULL,
  status BOOL, auto BOOL NOT NULL, updatetime DATETIME NOT NULL, endtime DATETIME, PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE `order` (id INTEGER NOT NULL AUTO_INCREMENT, out_order_id VARCHAR(50) NOT NULL, name VARCHAR(50) NOT NULL, payment VARCHAR(50) NOT NULL,
  contact VARCHAR(50), contact_txt TEXT, price FLOAT NOT NULL, num INTEGER NOT NULL, total_price FLOAT NOT NULL,
  card TEXT, status BOOL, updatetime DATETIME NOT NULL, PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
