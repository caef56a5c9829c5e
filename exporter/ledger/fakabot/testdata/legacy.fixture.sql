-- Rows of a bot of old, each product with the tier that the bot itself makes. What stands in braces is seconds from now.
INSERT INTO products (id,name,price,deliver_type,status) VALUES
 (1,'n',10,'card_pool','on'),(2,'n',10,'card_fixed','on'),(3,'n',10,'join_group','on'),(4,'n',10,'card_pool','off'),(5,'n',10,' CARD_POOL ','on');
INSERT INTO card_keys (id,product_id,key_text,used_by_order_id,used_time,create_time) VALUES
 (1,1,'K1',1,{-3590},{-9000}),(2,1,'K2',NULL,NULL,{-9000}),(3,1,'K3',NULL,NULL,{-9000}),(4,4,'K4',NULL,NULL,{-9000});
INSERT INTO orders (id,user_id,product_id,amount,payment_method,status,out_trade_no,create_time) VALUES
 (1,100,1,10.5,'alipay','completed','AAAAA1-00001',{-3600}),
 (2,100,1,10,'wxpay','cancelled','AAAAA2-00002',{-3000}),
 (3,101,1,10,'usdt_lemon','paid','AAAAA3-00003',{-2460}), -- the machine has cards, and doesn't deliver
 (4,102,3,10,'alipay','paid','AAAAA4-00004',{-2000}),     -- invited
 (5,102,3,10,'alipay','completed','AAAAA5-00005',{-1900}),
 (6,103,5,10,'wxpay','paid','AAAAA6-00006',{-1800}),      -- there are no cards
 (7,104,99,10,'wxpay','paid','AAAAA7-00007',{-900}),      -- its product was deleted
 (8,105,1,10,'alipay','frozen','AAAAA8-00008',{-600}),    -- a status that a fork added
 (9,106,2,10,'alipay','completed','AAAAA9-00009',{-500}), -- one text for everybody: no card, no moment
 (10,107,1,10,'wxpay','pending','AAAAAA-00010',{-60}),
 (11,108,2,10,'alipay','paid','AAAAAB-00011',{-55});
INSERT INTO product_tiers (id,product_id,name,price,deliver_type,status,create_time) SELECT id,id,name,price,deliver_type,status,1 FROM products;
UPDATE orders SET tier_id=product_id;
UPDATE card_keys SET tier_id=product_id;
