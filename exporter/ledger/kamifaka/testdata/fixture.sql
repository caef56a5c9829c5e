-- Rows of every state, keys counted up from 1. Now is 2026-11-22 07:00:00, UTC+8.
-- The expected numbers are in the test. All times are moved, and those in numbers.
INSERT INTO prod_info (name,price,auto,isactive) VALUES
 ('普通商品演示',9.99,true,true),('重复卡密演示',9.99,true,true),('手工商品',20,false,true),('下架商品',5,true,false);
INSERT INTO card (prod_name,card,reuse,isused) VALUES
 ('普通商品演示','S',false,false),('普通商品演示','S',NULL,false),('普通商品演示','S',false,true),('普通商品演示','S',false,NULL),
 ('重复卡密演示','S',true,false),('下架商品','S',false,false),('没有的商品','S',false,false);
INSERT INTO temporder (out_order_id,name,payment,contact,price,num,total_price,status,auto,updatetime) VALUES
 ('Order_1795297800000a1b2c3d1','普通商品演示','支付宝当面付','c',10,1,10,true ,true ,'2026-11-22 05:50:00.123456'), -- 1 delivered
 ('Order_1795298400000a1b2c3d2','重复卡密演示','虎皮椒微信'  ,'c',10,3,30,true ,true ,'2026-11-22 06:00:00.000000'), -- 2 delivered
 ('Order_1795301700000a1b2c3d3','普通商品演示','支付宝当面付','c',10,1,10,false,true ,'2026-11-22 06:55:00.000000'), -- 3 unpaid
 ('Order_1795298460000a1b2c3d4','普通商品演示','支付宝当面付','c',10,1,10,false,true ,'2026-11-22 06:01:00.000000'), -- 4 unpaid for 59 minutes
 ('Order_1795301760000a1b2c3d5','普通商品演示','支付宝当面付','c',10,1,10,true ,true ,'2026-11-22 06:56:00.000000'), -- 5 no card since 2 minutes
 ('Order_1795299300000a1b2c3d6','普通商品演示','虎皮椒微信'  ,'c',10,1,10,true ,true ,'2026-11-22 06:15:00.000000'), -- 6 no card since 40 minutes
 ('Order_1795300200000a1b2c3d7','普通商品演示','支付宝当面付','c',10,1,10,true ,true ,'2026-11-22 06:30:00.000000'), -- 7 lost
 ('Order_1795300800000a1b2c3d8','手工商品'    ,'支付宝当面付','c',20,1,20,true ,false,'2026-11-22 06:40:00.000000'), -- 8 manual: looks delivered
 ('Order_1795300860000a1b2c3d9','手工商品'    ,'Mugglepay'   ,'c',20,1,20,true ,false,'2026-11-22 06:41:00.000000'), -- 9 manual, lost
 ('Order_1795300920000a1b2c3da','普通商品演示','Mugglepay'   ,'c',10,1,10,NULL ,true ,'2026-11-22 06:42:00.000000'), -- 10 nobody knows
 ('Order_1795300980000a1b2c3db','普通商品演示','Mugglepay'   ,'c',10,1,10,true ,true ,'2026-11-22 06:43:00.000000'), -- 11 nobody knows
 ('Order_1795301040000a1b2c3dc','改名商品'    ,'新支付'      ,'c',10,1,10,true ,true ,'2026-11-22 06:44:00.000000'), -- 12 delivered, product renamed
 ('Order_1795301100000a1b2c3dd','普通商品演示','支付宝当面付','c',10,1,10,true ,true ,'2026-11-22 06:45:00.000000'), -- 13 shares its number
 ('Order_1795301100000a1b2c3dd','普通商品演示','支付宝当面付','c',10,1,10,true ,true ,'2026-11-22 06:46:00.000000'); -- 14 with this one
INSERT INTO "order" (out_order_id,name,payment,contact,price,num,total_price,card,status,updatetime) VALUES
 ('演示订单可删除'             ,'普通商品演示','支付宝当面付','c',10,1,10,'S' ,true ,'2026-11-01 00:00:00.000000'),
 ('Order_1795297800000a1b2c3d1','普通商品演示','支付宝当面付','c',10,1,10,'S' ,true ,'2026-11-22 05:51:00.654321'),
 ('Order_1795298400000a1b2c3d2','重复卡密演示','虎皮椒微信'  ,'c',10,3,30,'SS',true ,'2026-11-22 06:02:00.000000'),
 ('Order_1795299300000a1b2c3d6','普通商品演示','虎皮椒微信'  ,'c',10,1,10,NULL,false,'2026-11-22 06:20:00.000000'),
 ('TG_1795300000abcdefghijklmn','普通商品演示','支付宝当面付','c',10,1,10,'S' ,true ,'2026-11-22 06:27:00.000000'),
 ('Order_1795300800000a1b2c3d8','手工商品'    ,'支付宝当面付','c',20,1,20,'M' ,true ,'2026-11-22 06:41:00.000000'),
 ('Order_1795300980000a1b2c3db','普通商品演示','Mugglepay'   ,'c',10,1,10,'S' ,NULL ,'2026-11-22 06:44:00.000000'),
 ('Order_1795301040000a1b2c3dc','改名商品'    ,'新支付'      ,'c',10,1,10,'S' ,true ,'2026-11-22 06:45:00.000000'),
 ('Order_1795301100000a1b2c3dd','普通商品演示','支付宝当面付','c',10,1,10,'S' ,true ,'2026-11-22 06:47:00.000000'),
 ('Order_1795301760000a1b2c3d5','普通商品演示','支付宝当面付','c',10,1,10,NULL,false,'2026-11-22 06:58:00.000000');
