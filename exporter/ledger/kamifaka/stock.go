package kamifaka

import (
	"context"
	"database/sql"
	"fmt"
	"hash/crc32"
	"regexp"

	"shopwatch/exporter"
	"shopwatch/exporter/ledger/database"
)

// codes are the payments that the shop's page may name, as labels can hold them.
var codes = map[string]string{
	"支付宝当面付": "alipay-f2f", "微信官方接口": "wechat", "QQ钱包": "qqpay", "随便付": "suibianfu",
	"虎皮椒微信": "hupijiao-wechat", "虎皮椒支付宝": "hupijiao-alipay", "迅虎微信": "xunhu-wechat",
	"码支付微信": "codepay-wechat", "码支付支付宝": "codepay-alipay", "码支付QQ": "codepay-qq",
	"PAYJS微信": "payjs-wechat", "PAYJS支付宝": "payjs-alipay",
	"易支付微信": "epay-wechat", "易支付支付宝": "epay-alipay", "易支付QQ": "epay-qq",
	"V免签微信": "vmq-wechat", "V免签支付宝": "vmq-alipay", "云免签微信": "ymq-wechat", "云免签支付宝": "ymq-alipay",
	"Stripe微信": "stripe-wechat", "Stripe支付宝": "stripe-alipay",
}

var plain = regexp.MustCompile(`^[\w.-]{0,50}$`)

// code gives a payment's own name where that is plain, as of Mugglepay and
// YunGouOS; a name of ours where it is one of the shop's; else other- and a sum
// of the name, which is the same in every exporter.
func code(payment string) string {
	if known, is := codes[payment]; is {
		return known
	}
	if plain.MatchString(payment) {
		return payment
	}
	return fmt.Sprintf("other-%08x", crc32.ChecksumIEEE([]byte(payment)))
}

// Stock counts the cards of the products on sale. Neither cards nor products
// have an index to go by, so it reads the table of cards once. What a person
// delivers never runs out. The names of products are read again on the way.
func (d *Driver) Stock(ctx context.Context) (stock []exporter.Stock, hidden int, err error) {
	if err := d.readProducts(ctx); err != nil {
		return nil, 0, err
	}
	const most = 10 * exporter.MaxProducts // of which the rest is counted as hidden
	at := map[string]int{}                 // place in stock of the automatic ones
	err = d.Each(ctx, database.Short, "SELECT id, name, "+flag("auto")+" FROM "+d.Table("prod_info")+" WHERE isactive ORDER BY id LIMIT ?",
		[]any{most}, func(rows *sql.Rows) error {
			var id, name string
			var automatic sql.NullBool
			if err := rows.Scan(&id, &name, &automatic); err != nil {
				return err
			}
			if len(stock) == exporter.MaxProducts {
				hidden++
				return nil
			}
			if automatic.Bool {
				at[name] = len(stock)
			}
			stock = append(stock, exporter.Stock{Product: id, Looped: !automatic.Bool})
			return nil
		})
	if err != nil || len(at) == 0 {
		return stock, hidden, err
	}
	err = d.Each(ctx, database.Long, "SELECT prod_name, SUM(CASE WHEN reuse THEN 0 ELSE 1 END), SUM(CASE WHEN reuse THEN 1 ELSE 0 END) FROM "+
		d.Table("card")+" WHERE NOT isused GROUP BY prod_name", nil, func(rows *sql.Rows) error {
		var name string
		var single, looped int
		if err := rows.Scan(&name, &single, &looped); err != nil {
			return err
		}
		if i, onSale := at[name]; onSale {
			stock[i].Cards, stock[i].Looped = single, looped > 0
		}
		return nil
	})
	return stock, hidden, err
}
