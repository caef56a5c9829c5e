-- Rows of a dujiao-next shop on SQLite. The shop's clock shows 2026-11-22 07:00:00 in Asia/Shanghai,
-- which is 2026-11-21 23:00:00 in UTC. As the shop does it, automatic columns are UTC and moments that
-- it writes itself carry its own offset.
INSERT INTO products (id,slug,title_json,fulfillment_type,manual_stock_total,is_active,deleted_at) VALUES
 (1,'auto','{}','auto',0,1,NULL),(2,'manual','{}','manual',40,1,NULL),(3,'endless','{}','manual',-1,1,NULL),
 (4,'upstream','{}','upstream',0,1,NULL),(5,'off-sale','{}','auto',0,0,NULL),(6,'deleted','{}','auto',0,1,'2026-11-01 00:00:00+00:00'),
 (7,'sold-out','{}','auto',0,1,NULL);
INSERT INTO card_secrets (product_id,sku_id,secret,status,deleted_at) VALUES
 (1,0,'S1','available',NULL),(1,1,'S2','available',NULL),(1,0,'S3','used',NULL),(1,0,'S4','reserved',NULL),
 (1,0,'S5','available','2026-11-01 00:00:00+00:00'),(5,0,'S6','available',NULL),(7,0,'S7','used',NULL);
INSERT INTO payment_channels (id,name,provider_type,channel_type) VALUES (1,'Alipay','official','alipay'),(2,'Wechat','official','wechat');
INSERT INTO orders (id,order_no,parent_id,user_id,guest_email,guest_password,status,currency,total_amount,paid_at,created_at,updated_at,deleted_at) VALUES
 -- delivered 30 s after payment: on time
 (1 ,'DJ20261122061000000001'   ,NULL,0,'a@x.example','p','completed','CNY',10,'2026-11-22 06:10:20+08:00','2026-11-21 22:10:00+00:00','2026-11-21 22:10:50+00:00',NULL),
 (2 ,'DJ20261122061000000001-01',1   ,0,'a@x.example','p','completed','CNY',10,'2026-11-22 06:10:20+08:00','2026-11-21 22:10:00+00:00','2026-11-21 22:10:50+00:00',NULL),
 -- canceled; the day in UTC is not the day in Shanghai
 (3 ,'DJ20261122062000000002'   ,NULL,0,'a@x.example','p','canceled','CNY',10,NULL,'2026-11-21 22:20:00.123456789+00:00','2026-11-21 22:25:00+00:00',NULL),
 (4 ,'DJ20261122062000000002-01',3   ,0,'a@x.example','p','canceled','CNY',10,NULL,'2026-11-21 22:20:00.123456789+00:00','2026-11-21 22:25:00+00:00',NULL),
 -- the machine's backlog: 40, 10 and 2 minutes since payment
 (5 ,'DJ20261122061900000003'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:20:00+00:00',NULL),
 (6 ,'DJ20261122061900000003-01',5   ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:20:00+00:00',NULL),
 (7 ,'DJ20261122064900000004'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:50:00+08:00','2026-11-21 22:49:00+00:00','2026-11-21 22:50:00+00:00',NULL),
 (8 ,'DJ20261122064900000004-01',7   ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:50:00+08:00','2026-11-21 22:49:00+00:00','2026-11-21 22:50:00+00:00',NULL),
 (9 ,'DJ20261122065700000005'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:58:00+08:00','2026-11-21 22:57:00+00:00','2026-11-21 22:58:00+00:00',NULL),
 (10,'DJ20261122065700000005-01',9   ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:58:00+08:00','2026-11-21 22:57:00+00:00','2026-11-21 22:58:00+00:00',NULL),
 -- paid 40 minutes ago, then deleted softly: waits for nothing
 (11,'DJ20261122061900000006'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:40:00+00:00','2026-11-21 22:40:00+00:00'),
 (12,'DJ20261122061900000006-01',11  ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:40:00+00:00','2026-11-21 22:40:00+00:00'),
 -- a person works on it for 4 hours
 (13,'DJ20261122025900000007'   ,NULL,0,'c@x.example','p','fulfilling','CNY',20,'2026-11-22 03:00:00+08:00','2026-11-21 18:59:00+00:00','2026-11-21 19:00:00+00:00',NULL),
 (14,'DJ20261122025900000007-01',13  ,0,'c@x.example','p','fulfilling','CNY',20,'2026-11-22 03:00:00+08:00','2026-11-21 18:59:00+00:00','2026-11-21 19:00:00+00:00',NULL),
 -- refunded after it had been delivered, 10 minutes after payment: late
 (15,'DJ20261122055900000008'   ,NULL,0,'d@x.example','p','refunded','CNY',10,'2026-11-22 06:00:00+08:00','2026-11-21 21:59:00+00:00','2026-11-21 22:30:00+00:00',NULL),
 (16,'DJ20261122055900000008-01',15  ,0,'d@x.example','p','refunded','CNY',10,'2026-11-22 06:00:00+08:00','2026-11-21 21:59:00+00:00','2026-11-21 22:30:00+00:00',NULL),
 -- a purchase of two products, both delivered: one order, two children
 (17,'DJ20261122062900000009'   ,NULL,0,'d@x.example','p','completed','USD',30,'2026-11-22 06:30:00+08:00','2026-11-21 22:29:00+00:00','2026-11-21 22:31:00+00:00',NULL),
 (18,'DJ20261122062900000009-01',17  ,0,'d@x.example','p','completed','USD',10,'2026-11-22 06:30:00+08:00','2026-11-21 22:29:00+00:00','2026-11-21 22:30:10+00:00',NULL),
 (19,'DJ20261122062900000009-02',17  ,0,'d@x.example','p','delivered','USD',20,'2026-11-22 06:30:00+08:00','2026-11-21 22:29:00+00:00','2026-11-21 22:31:00+00:00',NULL),
 -- a purchase of two products: the machine has delivered, the person has not
 (20,'DJ20261122063900000010'   ,NULL,0,'d@x.example','p','partially_delivered','CNY',30,'2026-11-22 06:40:00+08:00','2026-11-21 22:39:00+00:00','2026-11-21 22:40:00+00:00',NULL),
 (21,'DJ20261122063900000010-01',20  ,0,'d@x.example','p','completed','CNY',10,'2026-11-22 06:40:00+08:00','2026-11-21 22:39:00+00:00','2026-11-21 22:40:00+00:00',NULL),
 (22,'DJ20261122063900000010-02',20  ,0,'d@x.example','p','fulfilling','CNY',20,'2026-11-22 06:40:00+08:00','2026-11-21 22:39:00+00:00','2026-11-21 22:40:00+00:00',NULL),
 -- a status that a fork added
 (23,'DJ20261122064000000011'   ,NULL,0,'e@x.example','p','disputed','CNY',10,NULL,'2026-11-21 22:40:00+00:00','2026-11-21 22:41:00+00:00',NULL),
 (24,'DJ20261122064000000011-01',23  ,0,'e@x.example','p','disputed','CNY',10,NULL,'2026-11-21 22:40:00+00:00','2026-11-21 22:41:00+00:00',NULL),
 -- not paid yet, and no payment was begun
 (25,'DJ20261122065900000012'   ,NULL,0,'e@x.example','p','pending_payment','CNY',10,NULL,'2026-11-21 22:59:00+00:00','2026-11-21 22:59:00+00:00',NULL),
 (26,'DJ20261122065900000012-01',25  ,0,'e@x.example','p','pending_payment','CNY',10,NULL,'2026-11-21 22:59:00+00:00','2026-11-21 22:59:00+00:00',NULL);
INSERT INTO order_items (order_id,product_id,title_json,quantity,fulfillment_type) VALUES
 (2,1,'{}',2,'auto'),(4,1,'{}',1,'auto'),(6,1,'{}',1,'auto'),(8,1,'{}',1,'auto'),(10,7,'{}',1,'auto'),(12,1,'{}',1,'auto'),
 (14,2,'{}',1,'manual'),(16,1,'{}',1,'auto'),(18,1,'{}',1,'auto'),(19,1,'{}',2,'auto'),(21,1,'{}',1,'auto'),(22,2,'{}',1,'manual'),
 (24,1,'{}',1,'auto'),(26,1,'{}',1,'auto');
INSERT INTO fulfillments (order_id,type,status,payload,delivered_at) VALUES
 (2,'auto','delivered','K','2026-11-22 06:10:50+08:00'),(16,'auto','delivered','K','2026-11-22 06:10:00+08:00'),
 (18,'auto','delivered','K','2026-11-22 06:30:10+08:00'),(19,'auto','delivered','K','2026-11-22 06:31:00+08:00'),
 (21,'auto','delivered','K','2026-11-22 06:40:00+08:00');
INSERT INTO payments (order_id,channel_id,provider_type,channel_type,amount,status,deleted_at) VALUES
 (1,1,'official','alipay',10,'success',NULL),(3,2,'official','wechat',10,'expired',NULL),
 (5,2,'official','wechat',10,'success',NULL),(5,1,'official','alipay',10,'pending',NULL), -- paid by the first after opening the second
 (7,2,'official','wechat',10,'expired',NULL),(7,1,'official','alipay',10,'success',NULL),
 (9,1,'official','alipay',10,'success',NULL),(11,1,'official','alipay',10,'success',NULL),(13,2,'official','wechat',20,'success',NULL),
 (15,1,'official','alipay',10,'success',NULL),(17,1,'official','alipay',30,'success',NULL),(20,1,'official','alipay',30,'success',NULL),
 (23,1,'official','alipay',10,'failed',NULL),(23,2,'official','wechat',10,'pending','2026-11-21 22:41:00+00:00');
