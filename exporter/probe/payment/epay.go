package payment

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"shopwatch/exporter/probe"
)

// Source: api.php of 彩虹易支付 itself, which its many clones answer alike:
// act=query asks for pid and key and gives code 1 with the merchant's state
// (active), or -3 "商户ID不存在", "商户密钥错误", "该商户只能使用RSA签名类型" (older ones
// -2 "KEY校验失败"); without act it says -5 "No Act!". submit.php and mapi.php
// make orders and are never asked. The key travels in the query, which neither
// samples nor details ever show; redirects are not followed with it. Merchants
// that take RSA signatures only (V2) are told apart, not looked at.

// askEpay asks for the merchant's state. Without credentials api.php must say
// that nothing was asked.
func askEpay(ctx context.Context, t *talk) error {
	signed, err := authenticated(t.options.Merchant, t.options.Key)
	if err != nil {
		return err
	}
	where := *t.base
	if strings.HasSuffix(where.Path, ".php") { // shops are often configured with submit.php
		where.Path = path.Dir(where.Path)
	}
	api := where.JoinPath("api.php")
	if signed {
		api.RawQuery = url.Values{"act": {"query"}, "pid": {t.options.Merchant}, "key": {t.options.Key}}.Encode()
	}
	var said struct {
		Code    json.Number `json:"code"` // a number, or one in quotes
		Message string      `json:"msg"`
		Pid     any         `json:"pid"`
		Active  any         `json:"active"` // 1, "1", true
	}
	_, err = t.get(ctx, api, &said, func(answer probe.Answer) bool {
		_, err := said.Code.Int64()
		return err == nil && (said.Message != "" || said.Pid != nil) && answer.Status < 500 && answer.Status != http.StatusNotFound
	})
	if err != nil || !signed {
		return err
	}
	message, shown := strings.ToLower(said.Message), t.code(said.Code.String())
	switch said.Code {
	case "1":
		if active := fmt.Sprint(said.Active); active == "0" || active == "false" {
			return refused("the gateway has closed the merchant's account")
		}
		return nil
	case "-5":
		return broken("the gateway doesn't know act=query (code -5)")
	}
	if strings.Contains(message, "rsa") {
		return refused("the gateway takes only RSA signatures of this merchant (code " + shown + ")")
	}
	if said.Code == "-2" || said.Code == "-3" || speaksOf(message, "密钥", "商户", "key", "pid", "merchant", "sign", "签名") {
		return refused("the gateway refuses the merchant or its key (code " + shown + ")")
	}
	return broken("the gateway can't tell of the merchant (code " + shown + ")")
}

// speaksOf reports whether a message, in lower case, has one of the words.
func speaksOf(message string, words ...string) bool {
	for _, word := range words {
		if strings.Contains(message, word) {
			return true
		}
	}
	return false
}
