-- Own test rows for schema.sql. "now" = 2026-11-22 07:00:00 Asia/Shanghai = 1795302000.
INSERT INTO t_payment (id,payment,payname,alias,active) VALUES (1,'alipay f2f','alipay','zfbf2f',1),(2,'wechat f2f','wechat','wxf2f',1);
INSERT INTO t_products (id,name,active,stockcontrol,qty,auto,isdelete) VALUES
 (1,'automatic',1,1,5,1,0),(2,'manual',1,1,40,0,0),(3,'automatic, one card for everybody',1,0,0,1,0),(4,'deleted',1,1,0,1,1),
 (5,'manual without end',1,0,0,0,0),(6,'automatic without a card',1,0,0,1,0),(7,'not on sale',0,1,1,1,0),(8,'automatic, sold out',1,1,3,1,0);
INSERT INTO t_products_card (pid,card,active,isdelete) VALUES
 (1,'S',0,0),(1,'S',0,0),(1,'S',1,0),(1,'S',0,1),(3,'S',0,0),(4,'S',0,0),(7,'S',0,0);
INSERT INTO t_order (id,orderid,pid,number,money,paymoney,paymethod,status,addtime,paytime,isdelete,email,productname,chapwd,tradeid,kami) VALUES
 (1,'zlkb2026112204000020001',1,1,10,0,'',0,1795291200,0,1,'e@x.example','p','w','','S'), -- unpaid, deleted by the admin
 (2,'zlkb2026112204592020002',99,1,10,10,'wxf2f',1,1795294760,1795294800,0,'e@x.example','p','w','','S'), -- paid, its product is gone: the callback stopped; 2 h
 (3,'zlkb2026112205200020003',1,1,10,10,'zfbf2f',2,1795296000,1795296060,1,'e@x.example','p','w','','S'), -- completed, deleted by the admin
 (4,'zlkb2026112205300020004',1,1,10,10,'admin',2,1795296600,1795296900,0,'e@x.example','p','w','','S'), -- completed by the admin: no payment through a channel
 (5,'zlkb2026112205400020005',1,1,0,0,'zfbf2f',2,1795297200,1795297200,0,'e@x.example','p','w','','S'), -- free: no payment
 (6,'zlkb2026112205500020006',1,1,10,0,'',-1,1795297800,0,0,'e@x.example','p','w','','S'), -- documented, never used: unknown
 (7,'zlkb2026112206000020007',1,1,10,10,'wxf2f',7,1795298400,1795298460,0,'e@x.example','p','w','','S'), -- a fork's own status: unknown
 (8,'zlkb2026112206100020008',1,2,20,20,'zfbf2f',2,1795299000,1795299020,0,'e@x.example','p','w','','S'), -- automatic, done
 (9,'zlkb2026112206150020009',2,1,20,20.03,'codepay',2,1795299300,1795299360,0,'e@x.example','p','w','','S'), -- manual, done; the channel added cents
 (10,'zlkb2026112206190020010',1,3,30,30,'zfbf2f',3,1795299540,1795299600,0,'e@x.example','p','w','','S'), -- ran short of cards, 40 min
 (11,'zlkb2026112206240020011',2,1,20,20,'wxf2f',1,1795299840,1795299900,0,'e@x.example','p','w','','S'), -- manual, 35 min
 (12,'zlkb2026112206300020012',1,1,10,0,'',0,1795300200,0,0,'e@x.example','p','w','','S'), -- unpaid, of the number that the next has too
 (13,'zlkb2026112206300020012',1,1,10,10,'zfbf2f',2,1795300200,1795300260,0,'e@x.example','p','w','','S'), -- automatic, done
 (14,'zlkb2026112206400020014',1,1,10,0,'',0,1795300800,0,0,'e@x.example','p','w','','S'), -- unpaid
 (15,'zlkb2026112206490020015',1,1,10,10,'wxf2f',1,1795301340,1795301400,0,'e@x.example','p','w','','S'), -- paid, and the shop broke: 10 min
 (16,'zlkb2026112206530020016',4,1,10,10,'zfbf2f',1,1795301580,1795301640,0,'e@x.example','p','w','','S'), -- paid, its product softly deleted: 6 min
 (17,'zlkb2026112206570020017',2,1,20,20,'zfbf2f',1,1795301820,1795301880,0,'e@x.example','p','w','','S'), -- manual, 2 min
 (18,'zlkb2026112206590020018',1,1,10,0,'',0,1795301940,0,0,'e@x.example','p','w','','S'), -- unpaid, young
 (19,'zlkb2026112206590520019',1,1,10,10,'zfbf2f',1,1795301945,1795301980,0,'e@x.example','p','w','','S'); -- paid 20 s ago
-- Expected: automatic waiting <5m=1, 5-30m=2, >30m=2 (short of cards: 1); manual <5m=1, >30m=1; unknown 2; removed 2;
-- stock item1=2, item2=40, items 3 and 5 without end, items 6 and 8 none
