package payment

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Sources: opendocs.alipay.com "公共错误码" (codes and sub codes), "自行实现签名"
// (what is signed), and "alipay.trade.query" (ACQ.TRADE_NOT_EXIST). Alipay's own
// SDKs dial by themselves; the signature is the ten lines below.

// beijing is the zone of Alipay's timestamps.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// askAlipay queries a trade that doesn't exist. Without credentials the
// gateway must say that the app id is missing.
func askAlipay(ctx context.Context, t *talk) error {
	signed, err := authenticated(t.options.Merchant, t.options.Key)
	if err != nil {
		return err
	}
	parameters := url.Values{
		"method": {"alipay.trade.query"}, "format": {"JSON"}, "charset": {"utf-8"}, "sign_type": {"RSA2"}, "version": {"1.0"},
		"timestamp":   {t.look.Now().In(beijing).Format(time.DateTime)},
		"biz_content": {`{"out_trade_no":"` + unknownOrder + `"}`},
	}
	if signed {
		key, err := parseKey(t.options.Key)
		if err != nil {
			return err
		}
		parameters.Set("app_id", t.options.Merchant)
		signature, err := signRSA2(parameters, key)
		if err != nil {
			return probe.Problem(rules.ReasonOther, "the key can't sign")
		}
		parameters.Set("sign", signature)
	}
	where := *t.base
	if where.Path == "" || where.Path == "/" {
		where.Path = "/gateway.do"
	}
	var said struct {
		Query *alipayAnswer `json:"alipay_trade_query_response"`
		Error *alipayAnswer `json:"error_response"`
	}
	_, err = t.post(ctx, &where, "application/x-www-form-urlencoded;charset=utf-8", parameters.Encode(), &said, func(probe.Answer) bool {
		return said.Query != nil && said.Query.Code != "" || said.Error != nil && said.Error.Code != ""
	})
	if err != nil {
		return err
	}
	if said.Query == nil {
		said.Query = said.Error
	}
	return t.judgeAlipay(*said.Query, signed)
}

// alipayAnswer is the head of every answer of Alipay's gateway.
type alipayAnswer struct {
	Code    string `json:"code"`
	SubCode string `json:"sub_code"`
}

func (t *talk) judgeAlipay(said alipayAnswer, signed bool) error {
	shown := t.code(said.SubCode)
	switch {
	case said.Code == "10000", said.SubCode == "ACQ.TRADE_NOT_EXIST":
		return nil
	case said.Code == "20000", said.SubCode == "ACQ.SYSTEM_ERROR":
		return broken("the gateway says that it is out of service: " + shown)
	case said.Code == "40005":
		return busy(shown)
	case !signed && strings.HasPrefix(said.Code, "4000"):
		return nil
	case strings.Contains(said.SubCode, "timestamp"):
		return probe.Problem(rules.ReasonOther, "the gateway refuses our clock's time: "+shown)
	case said.Code == "20001", said.Code == "40001", said.Code == "40002", said.Code == "40003", said.Code == "40006":
		return refused("the gateway refuses the app or its signature: " + shown)
	}
	return broken("the gateway can't answer the query: " + t.code(said.Code) + " " + shown)
}

// signRSA2 signs parameters as Alipay wants them: sorted by name, name=value
// joined by &, none that is empty, not encoded; SHA256withRSA in base64.
func signRSA2(parameters url.Values, key *rsa.PrivateKey) (string, error) {
	var pairs []string
	for name, values := range parameters {
		if name != "sign" && values[0] != "" {
			pairs = append(pairs, name+"="+values[0])
		}
	}
	slices.Sort(pairs)
	return signSHA256(strings.Join(pairs, "&"), key)
}

// signSHA256 is SHA256withRSA (PKCS #1 v1.5) in base64.
func signSHA256(text string, key *rsa.PrivateKey) (string, error) {
	hash := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	return base64.StdEncoding.EncodeToString(signature), err
}
