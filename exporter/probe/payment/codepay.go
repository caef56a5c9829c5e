package payment

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// 码支付 is a name of several services. Those of today took over 易支付's
// interface (the documentation of pay.yueuo.cn and pay.payma.cn, the SDKs of
// shops), so they are asked as such. The first one (codepay.fateqq.com, later
// api.xiuxiu888.com) knew creat_order alone, with {"status":-2,"msg":"sign fail"}
// for a wrong signature (its own codepay_supper.php); software that copied it is
// told by that word in the target's path.

// askCodepay asks a service with 易支付's interface for the merchant's state, and
// one with creat_order for an order that it must refuse.
func askCodepay(ctx context.Context, t *talk) error {
	if !strings.Contains(t.base.Path, "creat_order") && !strings.Contains(t.base.Path, "create_order") {
		return askEpay(ctx, t)
	}
	// Neither a price nor a signature that is right: no order can come of it.
	// So nothing shows whether the credentials are right, and they aren't sent.
	where := *t.base
	where.RawQuery = url.Values{"id": {"1"}, "page": {"4"}, "sign": {strings.Repeat("0", 32)}}.Encode()
	var said struct {
		Status  json.Number `json:"status"`
		Message string      `json:"msg"`
	}
	_, err := t.get(ctx, &where, &said, func(answer probe.Answer) bool {
		_, err := said.Status.Int64()
		return err == nil && said.Message != "" && answer.Status < 500
	})
	if err != nil {
		return err
	}
	if said.Status == "0" {
		return probe.Problem(rules.ReasonBody, "the gateway took what is no order: not in its protocol")
	}
	return nil
}
