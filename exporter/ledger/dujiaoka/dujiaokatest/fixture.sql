-- Test rows for schema.sql. Wall clock of the shop ("now") = 2026-11-22 07:00:00, Asia/Shanghai
-- (= 2026-11-21T23:00:00Z). Load over a connection whose time_zone is left at the server default.
INSERT INTO pays (id,pay_name,pay_check) VALUES (1,'Alipay','zfbf2f'),(15,'Wechat','wxpay');
INSERT INTO goods (id,gd_name,type,in_stock) VALUES (1,'auto-a',1,0),(2,'auto-loop',1,0),(3,'manual',2,40);
INSERT INTO carmis (goods_id,status,is_loop,carmi,deleted_at) VALUES (1,1,0,'S1',NULL),(1,1,0,'S2',NULL),(1,2,0,'S3',NULL),(1,1,0,'S4','2026-11-01 00:00:00'),(2,1,1,'S5',NULL);
INSERT INTO orders (id,order_sn,goods_id,title,type,actual_price,email,info,pay_id,buy_ip,trade_no,status,created_at,updated_at,deleted_at) VALUES
 (1 ,'AAAAAAAAAAAAAA01',1,'t',1,10.00,'a@x.example','S',1 ,'192.0.2.1','T1',4,'2026-11-22 06:10:00','2026-11-22 06:10:30',NULL),
 (2 ,'AAAAAAAAAAAAAA02',1,'t',1,10.00,'a@x.example','S',15,'192.0.2.1','T2',4,'2026-11-22 06:20:00','2026-11-22 06:22:00',NULL),
 (3 ,'AAAAAAAAAAAAAA03',1,'t',1,10.00,'a@x.example','' ,15,'192.0.2.1',''  ,-1,'2026-11-22 06:30:00','2026-11-22 06:35:00',NULL),
 (4 ,'AAAAAAAAAAAAAA04',1,'t',1,10.00,'b@x.example','n',1 ,'192.0.2.1','T4',6,'2026-11-22 06:20:00','2026-11-22 06:21:00',NULL), -- 39 min old: >30 min
 (5 ,'AAAAAAAAAAAAAA05',1,'t',1,10.00,'b@x.example','n',1 ,'192.0.2.1','T5',6,'2026-11-22 06:49:00','2026-11-22 06:50:00',NULL), -- 10 min: 5-30
 (6 ,'AAAAAAAAAAAAAA06',1,'t',1,10.00,'b@x.example','n',15,'192.0.2.1','T6',6,'2026-11-22 06:57:00','2026-11-22 06:58:00',NULL), -- 2 min: <5
 (7 ,'AAAAAAAAAAAAAA07',1,'t',1,10.00,'b@x.example','n',15,'192.0.2.1','T7',6,'2026-11-22 06:00:00','2026-11-22 06:01:00','2026-11-22 06:40:00'), -- soft deleted: not counted
 (8 ,'AAAAAAAAAAAAAA08',3,'t',2,20.00,'c@x.example','q',1 ,'192.0.2.1','T8',2,'2026-11-22 03:00:00','2026-11-22 03:02:00',NULL), -- manual, waiting: separate
 (9 ,'AAAAAAAAAAAAAA09',3,'t',2,20.00,'c@x.example','q',1 ,'192.0.2.1','T9',3,'2026-11-22 06:00:00','2026-11-22 06:30:00',NULL), -- manual, in work
 (10,'AAAAAAAAAAAAAA10',3,'t',2,20.00,'c@x.example','q',1 ,'192.0.2.1','TA',4,'2026-11-22 05:00:00','2026-11-22 06:45:00',NULL),
 (11,'AAAAAAAAAAAAAA11',1,'t',1,10.00,'d@x.example','n',1 ,'192.0.2.1','TB',5,'2026-11-22 06:05:00','2026-11-22 06:40:00',NULL), -- set to failed by a person
 (12,'AAAAAAAAAAAAAA12',1,'t',1, 0.00,'d@x.example','S',1 ,'192.0.2.1',''  ,4,'2026-11-22 06:55:00','2026-11-22 06:55:05',NULL), -- free order: no payment
 (13,'AAAAAAAAAAAAAA13',1,'t',1,10.00,'d@x.example','' ,15,'192.0.2.1',''  ,1,'2026-11-22 06:59:00','2026-11-22 06:59:00',NULL);
-- Expected: auto backlog <5m=1, 5-30m=1, >30m=1 (ids 6,5,4); manual waiting=2; unpaid=1; stock goods1=2, goods2=unlimited(loop), goods3=40
