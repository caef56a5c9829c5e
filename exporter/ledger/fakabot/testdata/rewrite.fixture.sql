-- Rows of two tenants. Their clock shows 2026-11-21 23:00:00 UTC.
INSERT INTO products (id,tenant_id,name,delivery_type,status,external_source,external_id) VALUES
 (1,1,'n','card_pool','on',NULL,NULL),(2,1,'n','card_fixed','on','',''),(3,1,'n','file_download','on',NULL,NULL),
 (4,1,'n','telegram_invite','on','mcy','9'),(5,1,'n','card_pool','draft',NULL,NULL),(6,1,'n','card_pool','off',NULL,NULL),
 (7,2,'n','card_pool','on',NULL,NULL),(8,2,'n','card_pool','on','mcy','7');
INSERT INTO inventory_items (tenant_id,product_id,variant_id,status) VALUES
 (1,1,1,'available'),(1,1,2,'available'),(1,1,1,'locked'),(1,1,1,'used'),(1,2,NULL,'available'),(1,6,NULL,'available'),(2,1,1,'available'),(2,7,NULL,'used');
INSERT INTO orders (id,tenant_id,buyer_telegram_user_id,source_type,self_product_id,amount,currency,payment_mode,payment_provider,status,out_trade_no,expires_at,paid_at,delivered_at,created_at,updated_at) VALUES
 -- delivered 5 s after payment
 (1,1,100,'self',1,1.5,'USDT','p','epay','delivered','ORDaaaaaaaaaaaaaaaaaaaaa001','2026-11-21 22:30:00+00','2026-11-21 22:01:00+00','2026-11-21 22:01:05+00','2026-11-21 22:00:00+00','2026-11-21 22:01:05+00'),
 (2,1,100,'self',1,1.5,'USDT','p','epusdt','expired','ORDaaaaaaaaaaaaaaaaaaaaa002','2026-11-21 22:40:00+00',NULL,NULL,'2026-11-21 22:10:00+00','2026-11-21 22:40:00+00'),
 -- no way of payment was ever chosen
 (3,2,101,'self',7,1.5,'USDT','p',NULL,'cancelled','ORDaaaaaaaaaaaaaaaaaaaaa003','2026-11-21 22:45:00+00',NULL,NULL,'2026-11-21 22:15:00+00','2026-11-21 22:20:00+00'),
 -- its delivery failed 40 minutes ago
 (4,1,102,'self',3,12.34567891,'USDT','p','epusdt','paid','ORDaaaaaaaaaaaaaaaaaaaaa004','2026-11-21 22:49:00+00','2026-11-21 22:20:00+00',NULL,'2026-11-21 22:19:00+00','2026-11-21 22:20:00+00'),
 (5,1,103,'self',1,1.5,'USDT','p','epay','refunded','ORDaaaaaaaaaaaaaaaaaaaaa005','2026-11-21 22:54:00+00','2026-11-21 22:25:00+00','2026-11-21 22:25:03+00','2026-11-21 22:24:00+00','2026-11-21 22:50:00+00'),
 (6,1,103,'self',2,1.5,'TRX','p','usdt_trc20_direct','partially_refunded','ORDaaaaaaaaaaaaaaaaaaaaa006','2026-11-21 22:55:00+00','2026-11-21 22:26:00+00','2026-11-21 22:26:03+00','2026-11-21 22:25:00+00','2026-11-21 22:50:00+00'),
 -- a tenant pays for the bot itself
 (7,2,104,'subscription',NULL,30,'USDT','p','epay','completed','SUBaaaaaaaaaaaaaaaaaaaaa007','2026-11-21 23:00:00+00','2026-11-21 22:31:00+00','2026-11-21 22:31:00+00','2026-11-21 22:30:00+00','2026-11-21 22:31:00+00'),
 -- a status that a fork added
 (8,1,105,'self',1,1.5,'USDT','p','epay','frozen','ORDaaaaaaaaaaaaaaaaaaaaa008','2026-11-21 23:10:00+00',NULL,NULL,'2026-11-21 22:40:00+00','2026-11-21 22:40:00+00'),
 -- one tenant sells another's goods
 (9,2,106,'reseller',1,2.5,'USDT','p','epusdt','delivered','ORDaaaaaaaaaaaaaaaaaaaaa009','2026-11-21 23:15:00+00','2026-11-21 22:46:00+00','2026-11-21 22:46:30+00','2026-11-21 22:45:00+00','2026-11-21 22:46:30+00'),
 -- its delivery is under way for 10 minutes; only its payments say by what it was paid
 (10,1,107,'self',1,1.5,'USDT','p',NULL,'paid','ORDaaaaaaaaaaaaaaaaaaaaa010','2026-11-21 23:19:00+00','2026-11-21 22:50:00+00',NULL,'2026-11-21 22:49:00+00','2026-11-21 22:50:00+00'),
 -- nobody has begun to deliver it
 (11,1,108,'self',1,1.5,'USDT','p','epay','paid','ORDaaaaaaaaaaaaaaaaaaaaa011','2026-11-21 23:27:00+00','2026-11-21 22:58:00+00',NULL,'2026-11-21 22:57:00+00','2026-11-21 22:58:00+00'),
 (12,1,109,'self',1,1.5,'USDT','p','epay','pending','ORDaaaaaaaaaaaaaaaaaaaaa012','2026-11-21 23:29:00+00',NULL,NULL,'2026-11-21 22:59:00+00','2026-11-21 22:59:00+00');
INSERT INTO payments (order_id,tenant_id,provider,amount,currency,status) VALUES
 (1,1,'epay',1.5,'USDT','paid'),(2,1,'epay',1.5,'USDT','expired'),(2,1,'epusdt',1.5,'USDT','pending'),(5,1,'epay',1.5,'USDT','refunded'),
 (10,1,'epay',1.5,'USDT','paid'),(10,1,'epusdt',1.5,'USDT','pending');
INSERT INTO delivery_records (order_id,tenant_id,buyer_telegram_user_id,delivery_type,status,error_message) VALUES
 (1,1,100,'card_pool','sent',NULL),(4,1,102,'file_download','failed','timed out'),(10,1,107,'card_pool','sending',NULL);
