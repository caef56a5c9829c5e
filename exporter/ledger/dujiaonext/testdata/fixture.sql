-- Rows of a dujiao-next shop. The shop's clock shows 2026-11-22 07:00:00 in Asia/Shanghai,
-- which is 2026-11-21 23:00:00 in UTC. As the shop does it, automatic columns are UTC and moments that
-- it writes itself carry its own offset.
INSERT INTO products (id,slug,title_json,fulfillment_type,manual_stock_total,is_active,deleted_at) VALUES
 (1,'auto','{}','auto',0,TRUE,NULL),(2,'manual','{}','manual',40,TRUE,NULL),(3,'endless','{}','manual',-1,TRUE,NULL),
 (4,'upstream','{}','upstream',0,TRUE,NULL),(5,'off-sale','{}','auto',0,FALSE,NULL),(6,'deleted','{}','auto',0,TRUE,'2026-11-01 00:00:00+00:00'),
 (7,'sold-out','{}','auto',0,TRUE,NULL);
INSERT INTO card_secrets (product_id,sku_id,secret,status,deleted_at) VALUES
 (1,0,'S1','available',NULL),(1,1,'S2','available',NULL),(1,0,'S3','used',NULL),(1,0,'S4','reserved',NULL),
 (1,0,'S5','available','2026-11-01 00:00:00+00:00'),(5,0,'S6','available',NULL),(7,0,'S7','used',NULL);
INSERT INTO payment_channels (id,name,provider_type,channel_type) VALUES (1,'Alipay','official','alipay'),(2,'Wechat','official','wechat');
INSERT INTO orders (id,order_no,parent_id,user_id,guest_email,guest_password,status,currency,total_amount,paid_at,created_at,updated_at,deleted_at) VALUES
 -- a person works on it for 4 hours
 (1 ,'DJ20261122025900000007'   ,NULL,0,'c@x.example','p','fulfilling','CNY',20,'2026-11-22 03:00:00+08:00','2026-11-21 18:59:00+00:00','2026-11-21 19:00:00+00:00',NULL),
 (2 ,'DJ20261122025900000007-01',1   ,0,'c@x.example','p','fulfilling','CNY',20,'2026-11-22 03:00:00+08:00','2026-11-21 18:59:00+00:00','2026-11-21 19:00:00+00:00',NULL),
 -- a person typed a delivery that precedes the payment, and gave a part of the money back
 (3 ,'DJ20261122035900000014'   ,NULL,0,'f@x.example','p','partially_refunded','CNY',20,'2026-11-22 04:00:00+08:00','2026-11-21 19:59:00+00:00','2026-11-21 21:00:00+00:00',NULL),
 (4 ,'DJ20261122035900000014-01',3   ,0,'f@x.example','p','partially_refunded','CNY',20,'2026-11-22 04:00:00+08:00','2026-11-21 19:59:00+00:00','2026-11-21 21:00:00+00:00',NULL),
 -- refunded after it had been delivered, 10 minutes after payment: late
 (5 ,'DJ20261122055900000008'   ,NULL,0,'d@x.example','p','refunded','CNY',10,'2026-11-22 06:00:00+08:00','2026-11-21 21:59:00+00:00','2026-11-21 22:30:00+00:00',NULL),
 (6 ,'DJ20261122055900000008-01',5   ,0,'d@x.example','p','refunded','CNY',10,'2026-11-22 06:00:00+08:00','2026-11-21 21:59:00+00:00','2026-11-21 22:30:00+00:00',NULL),
 -- without children: it stands for itself. Its payment succeeded by the first channel, before the second
 (7 ,'DJ20261122055900000015'   ,NULL,0,'f@x.example','p','completed','CNY',10,'2026-11-22 06:00:00+08:00','2026-11-21 21:59:00+00:00','2026-11-21 22:00:00+00:00',NULL),
 -- paid from the buyer's wallet in the second in which it was made, and delivered
 (8 ,'DJ20261122060000000013'   ,NULL,8,NULL,NULL,'completed','CNY',50.5,'2026-11-22 06:00:00+08:00','2026-11-21 22:00:00+00:00','2026-11-21 22:00:20+00:00',NULL),
 (9 ,'DJ20261122060000000013-01',8   ,8,NULL,NULL,'completed','CNY',50.5,'2026-11-22 06:00:00+08:00','2026-11-21 22:00:00+00:00','2026-11-21 22:00:20+00:00',NULL),
 -- delivered 30 s after payment: on time
 (10,'DJ20261122061000000001'   ,NULL,0,'a@x.example','p','completed','CNY',10,'2026-11-22 06:10:20+08:00','2026-11-21 22:10:00+00:00','2026-11-21 22:10:50+00:00',NULL),
 (11,'DJ20261122061000000001-01',10  ,0,'a@x.example','p','completed','CNY',10,'2026-11-22 06:10:20+08:00','2026-11-21 22:10:00+00:00','2026-11-21 22:10:50+00:00',NULL),
 -- the machine's backlog: 40 minutes since payment
 (12,'DJ20261122061900000003'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:20:00+00:00',NULL),
 (13,'DJ20261122061900000003-01',12  ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:20:00+00:00',NULL),
 -- paid 40 minutes ago, then deleted softly: waits for nothing
 (14,'DJ20261122061900000006'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:40:00+00:00','2026-11-21 22:40:00+00:00'),
 (15,'DJ20261122061900000006-01',14  ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:20:00+08:00','2026-11-21 22:19:00+00:00','2026-11-21 22:40:00+00:00','2026-11-21 22:40:00+00:00'),
 -- canceled; the day in UTC is not the day in Shanghai
 (16,'DJ20261122062000000002'   ,NULL,0,'a@x.example','p','canceled','CNY',10,NULL,'2026-11-21 22:20:00.123456789+00:00','2026-11-21 22:25:00+00:00',NULL),
 (17,'DJ20261122062000000002-01',16  ,0,'a@x.example','p','canceled','CNY',10,NULL,'2026-11-21 22:20:00.123456789+00:00','2026-11-21 22:25:00+00:00',NULL),
 -- a purchase of two products, both delivered: one order, two children
 (18,'DJ20261122062900000009'   ,NULL,0,'d@x.example','p','completed','USD',30,'2026-11-22 06:30:00+08:00','2026-11-21 22:29:00+00:00','2026-11-21 22:31:00+00:00',NULL),
 (19,'DJ20261122062900000009-01',18  ,0,'d@x.example','p','completed','USD',10,'2026-11-22 06:30:00+08:00','2026-11-21 22:29:00+00:00','2026-11-21 22:30:10+00:00',NULL),
 (20,'DJ20261122062900000009-02',18  ,0,'d@x.example','p','delivered','USD',20,'2026-11-22 06:30:00+08:00','2026-11-21 22:29:00+00:00','2026-11-21 22:31:00+00:00',NULL),
 -- a purchase of two products: the machine has delivered, the person has not
 (21,'DJ20261122063900000010'   ,NULL,0,'d@x.example','p','partially_delivered','CNY',30,'2026-11-22 06:40:00+08:00','2026-11-21 22:39:00+00:00','2026-11-21 22:40:00+00:00',NULL),
 (22,'DJ20261122063900000010-01',21  ,0,'d@x.example','p','completed','CNY',10,'2026-11-22 06:40:00+08:00','2026-11-21 22:39:00+00:00','2026-11-21 22:40:00+00:00',NULL),
 (23,'DJ20261122063900000010-02',21  ,0,'d@x.example','p','fulfilling','CNY',20,'2026-11-22 06:40:00+08:00','2026-11-21 22:39:00+00:00','2026-11-21 22:40:00+00:00',NULL),
 -- a status that a fork added
 (24,'DJ20261122064000000011'   ,NULL,0,'e@x.example','p','disputed','CNY',10,NULL,'2026-11-21 22:40:00+00:00','2026-11-21 22:41:00+00:00',NULL),
 (25,'DJ20261122064000000011-01',24  ,0,'e@x.example','p','disputed','CNY',10,NULL,'2026-11-21 22:40:00+00:00','2026-11-21 22:41:00+00:00',NULL),
 -- the machine's backlog: 10 minutes
 (26,'DJ20261122064900000004'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:50:00+08:00','2026-11-21 22:49:00+00:00','2026-11-21 22:50:00+00:00',NULL),
 (27,'DJ20261122064900000004-01',26  ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:50:00+08:00','2026-11-21 22:49:00+00:00','2026-11-21 22:50:00+00:00',NULL),
 -- the machine's backlog: 2 minutes
 (28,'DJ20261122065700000005'   ,NULL,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:58:00+08:00','2026-11-21 22:57:00+00:00','2026-11-21 22:58:00+00:00',NULL),
 (29,'DJ20261122065700000005-01',28  ,0,'b@x.example','p','paid','CNY',10,'2026-11-22 06:58:00+08:00','2026-11-21 22:57:00+00:00','2026-11-21 22:58:00+00:00',NULL),
 -- not paid yet, and no payment was begun
 (30,'DJ20261122065900000012'   ,NULL,0,'e@x.example','p','pending_payment','CNY',10,NULL,'2026-11-21 22:59:00+00:00','2026-11-21 22:59:00+00:00',NULL),
 (31,'DJ20261122065900000012-01',30  ,0,'e@x.example','p','pending_payment','CNY',10,NULL,'2026-11-21 22:59:00+00:00','2026-11-21 22:59:00+00:00',NULL);
INSERT INTO order_items (order_id,product_id,title_json,quantity,fulfillment_type) VALUES
 (11,1,'{}',2,'auto'),(17,1,'{}',1,'auto'),(13,1,'{}',1,'auto'),(27,1,'{}',1,'auto'),(29,7,'{}',1,'auto'),(15,1,'{}',1,'auto'),
 (2,2,'{}',1,'manual'),(6,1,'{}',1,'auto'),(19,1,'{}',1,'auto'),(20,1,'{}',2,'auto'),(22,1,'{}',1,'auto'),(23,2,'{}',1,'manual'),
 (25,1,'{}',1,'auto'),(31,1,'{}',1,'auto'),(9,1,'{}',5,'auto'),(4,2,'{}',1,'manual'),(7,1,'{}',1,'auto');
INSERT INTO fulfillments (order_id,type,status,payload,delivered_at) VALUES
 (11,'auto','delivered','K','2026-11-22 06:10:50+08:00'),(6,'auto','delivered','K','2026-11-22 06:10:00+08:00'),
 (19,'auto','delivered','K','2026-11-22 06:30:10+08:00'),(20,'auto','delivered','K','2026-11-22 06:31:00+08:00'),
 (22,'auto','delivered','K','2026-11-22 06:40:00+08:00'),(9,'auto','delivered','K','2026-11-22 06:00:20+08:00'),
 (4,'manual','delivered','K','2026-11-22 03:30:00+08:00'),(7,'auto','delivered','K','2026-11-22 06:00:10+08:00');
INSERT INTO payments (order_id,channel_id,provider_type,channel_type,amount,status,deleted_at) VALUES
 (10,1,'official','alipay',10,'success',NULL),(16,2,'official','wechat',10,'expired',NULL),
 (12,2,'official','wechat',10,'success',NULL),(12,1,'official','alipay',10,'pending',NULL), -- paid by the first after opening the second
 (26,2,'official','wechat',10,'expired',NULL),(26,1,'official','alipay',10,'success',NULL),
 (28,1,'official','alipay',10,'success',NULL),(14,1,'official','alipay',10,'success',NULL),(1,2,'official','wechat',20,'success',NULL),
 (5,1,'official','alipay',10,'success',NULL),(18,1,'official','alipay',30,'success',NULL),(21,1,'official','alipay',30,'success',NULL),
 (24,1,'official','alipay',10,'failed',NULL),(24,2,'official','wechat',10,'pending','2026-11-21 22:41:00+00:00'),
 (8,0,'wallet','balance',50.5,'success',NULL),(3,1,'official','alipay',20,'success',NULL),
 (7,2,'official','wechat',10,'success',NULL),(7,1,'official','alipay',10,'failed',NULL),
 (0,1,'official','alipay',100,'success',NULL); -- filled a wallet
