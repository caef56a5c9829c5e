-- Rows of every state. @now is set before; the expected numbers are in the test.
INSERT INTO pay_channel (id,title,code) VALUES (1,'a','AlipayF2F'),(2,'w','wxpay'),(12,'x','支付宝H');
INSERT INTO goods (id,user_id,name,status,delete_at) VALUES
 (1,9,'three cards left',1,NULL),(2,9,'sold out',1,NULL),(3,9,'not on sale',0,NULL),(4,9,'deleted',1,@now-60),(5,9,'two cards left',1,NULL);
INSERT INTO goods_card (user_id,goods_id,number,secret,status,delete_at,sell_time,unfreeze_at) VALUES
 (9,1,'N','S',1,NULL,NULL,0),(9,1,'N','S',1,NULL,NULL,NULL),(9,1,'N','S',1,NULL,NULL,1000),
 (9,1,'N','S',1,NULL,NULL,UNIX_TIMESTAMP()+86400), -- locked
 (9,1,'N','S',1,@now-60,NULL,0),                   -- deleted
 (9,1,'N','S',2,NULL,@now-7000,0),(9,1,'N','S',0,NULL,NULL,0),(9,2,'N','S',2,NULL,@now-9000,0),
 (9,3,'N','S',1,NULL,NULL,0),(9,4,'N','S',1,NULL,NULL,0),(9,5,'N','S',1,NULL,NULL,0),(9,5,'N','S',1,NULL,NULL,0);
INSERT INTO `order` (id,user_id,goods_id,trade_no,channel_id,quantity,sendout,total_price,status,create_at,success_at) VALUES
 ( 1,9,1,'QS261122051500a0b1c2d1', 1,1,1,10,1,@now-7200,@now-7100),
 ( 2,9,1,'QS261122051500a0b1c2d2', 1,2,1,20,1,@now-7200,@now-7100), -- handed out one by one: sendout is the last batch
 ( 3,9,1,'QS261122051500a0b1c2d3', 2,1,0,10,0,@now-300 ,0),
 ( 4,9,1,'QS261122051500a0b1c2d4', 2,1,0,10,0,@now-3600,0),
 ( 5,9,1,'QS261122051500a0b1c2d5', 2,1,0,10,2,@now-7200,0),
 ( 6,9,1,'QS261122051500a0b1c2d6', 1,1,0,10,3,@now-7200,@now-7100),
 ( 7,9,1,'QS261122051500a0b1c2d7', 1,1,0,10,1,@now-700 ,@now-600),  -- nobody looked yet
 ( 8,9,1,'QS261122051500a0b1c2d8', 1,2,0,20,1,@now-100 ,@now-60),   -- nobody looked yet
 ( 9,9,1,'QS261122051500a0b1c2d9', 1,1,0,10,1,@now-90  ,@now-30),   -- 7 and 8 take the three cards
 (10,9,2,'QS261122051500a0b1c2da', 2,1,0,10,1,@now-1300,@now-1200), -- sold out
 (11,9,5,'QS261122051500a0b1c2db', 1,3,1,30,1,@now-3700,@now-3600), -- got one of three, and two aren't three
 (12,9,1,'QS261122051500a0b1c2dc', 1,1,0,10,7,@now-400 ,@now-300),
 (13,9,1,'QS261122051500a0b1c2dd',12,2,2,20,1,@now-5000,@now-4900), -- with a gift
 (14,9,4,'QS261122051500a0b1c2de', 1,1,0,10,1,@now-200 ,@now-120),  -- the product was deleted, its card wasn't
 (15,9,5,'QS261122051500a0b1c2df', 1,2,0,20,1,@now-600 ,@now-500),  -- 11 can't take the two cards
 (16,9,1,'QS261122051500a0b1c2e0', 1,2,1,20,1,@now-6000,@now-5900); -- one card and a gift: the shop hands out no more
INSERT INTO order_card (order_id,number,secret,card_id) VALUES
 (1,'N','S',6),(2,'N','S',61),(2,'N','S',62),(11,'N','S',63),(13,'N','S',64),(13,'N','S',65),(13,'N','S',66),(16,'N','S',67),(16,'N','S',68);
