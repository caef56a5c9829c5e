package payment

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"shopwatch/exporter/probe"
	"shopwatch/rules"
)

// Sources: pay.weixin.qq.com/doc/v3/merchant "签名生成" (4012365336), "商户订单号
// 查询订单" (4013070356: ORDER_NOT_EXIST), "下载平台证书" and "如何解密证书和回调报文"
// (AEAD_AES_256_GCM with the APIv3 key), "APIv3 接口规则" (errors are {code, message}).

// askWeChatPay queries an order that doesn't exist; with the APIv3 key it also
// opens what WeChat Pay encrypts with it, since with a wrong one every
// payment's notice would be lost. Without credentials the gateway must say that
// the signature is missing.
func askWeChatPay(ctx context.Context, t *talk) error {
	signed, err := authenticated(t.options.Merchant, t.options.Key, t.options.Serial)
	if err != nil {
		return err
	}
	if !signed {
		_, err := t.askV3(ctx, "/v3/certificates", nil, nil, nil)
		return err
	}
	key, err := parseKey(t.options.Key)
	if err != nil {
		return err
	}
	query := url.Values{"mchid": {t.options.Merchant}}
	if _, err := t.askV3(ctx, "/v3/pay/transactions/out-trade-no/"+unknownOrder, query, key, nil); err != nil {
		return err
	}
	if t.options.APIKey == "" {
		return nil
	}
	var kept certificates
	found, err := t.askV3(ctx, "/v3/certificates", nil, key, &kept)
	if err != nil || !found {
		// Merchants that verify with WeChat Pay's public key have no
		// certificates: then nothing shows whether the APIv3 key is right.
		return err
	}
	return kept.open(t.options.APIKey)
}

// v3Error is an error of APIv3.
type v3Error struct {
	Code string `json:"code"`
}

var v3Code = regexp.MustCompile(`^[A-Z][A-Z_]+$`)

// askV3 makes one request, signed if key is not nil, and judges its answer. It
// reports whether what was asked for exists; then it is in said.
func (t *talk) askV3(ctx context.Context, path string, query url.Values, key *rsa.PrivateKey, said *certificates) (bool, error) {
	where := t.base.JoinPath(path)
	where.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return false, probe.Problem(rules.ReasonOther, "no request can be made of the target")
	}
	if key != nil {
		authorization, err := t.authorizeV3(request, key)
		if err != nil {
			return false, probe.Problem(rules.ReasonOther, "the key can't sign")
		}
		request.Header.Set("Authorization", authorization)
	}
	var body struct {
		v3Error
		certificates
		TradeState string `json:"trade_state"`
	}
	answer, err := t.ask(ctx, request, &body, func(answer probe.Answer) bool {
		if answer.Status == http.StatusOK {
			return key != nil && (len(body.Data) > 0 || body.TradeState != "")
		}
		return v3Code.MatchString(body.Code)
	})
	if err != nil {
		return false, err
	}
	if answer.Status == http.StatusOK {
		if said != nil {
			*said = body.certificates
		}
		return true, nil
	}
	shown := t.code(body.Code)
	switch {
	case body.Code == "ORDER_NOT_EXIST", body.Code == "RESOURCE_NOT_EXISTS":
		return false, nil
	case answer.Status == http.StatusTooManyRequests:
		return false, busy(shown)
	case answer.Status >= 500:
		return false, broken("the gateway says that it is out of service: " + shown)
	case key == nil:
		return false, nil
	case answer.Status == http.StatusUnauthorized, answer.Status == http.StatusForbidden, body.Code == "MCH_NOT_EXISTS":
		return false, refused("the gateway refuses the merchant or its signature: " + shown)
	}
	return false, broken(fmt.Sprintf("the gateway can't answer the query: %d %s", answer.Status, shown))
}

// authorizeV3 is the value of Authorization for a request without a body.
func (t *talk) authorizeV3(request *http.Request, key *rsa.PrivateKey) (string, error) {
	timestamp, nonce := t.look.Now().Unix(), rand.Text()
	message := fmt.Sprintf("%s\n%s\n%d\n%s\n\n", request.Method, request.URL.RequestURI(), timestamp, nonce)
	signature, err := signSHA256(message, key)
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",signature="%s",timestamp="%d",serial_no="%s"`,
		t.options.Merchant, nonce, signature, timestamp, t.options.Serial), err
}

// certificates are those with which WeChat Pay signs, encrypted for the merchant.
type certificates struct {
	Data []struct {
		Encrypted struct {
			Nonce      string `json:"nonce"`
			Associated string `json:"associated_data"`
			Ciphertext string `json:"ciphertext"` // base64
		} `json:"encrypt_certificate"`
	} `json:"data"`
}

// open is the problem of an APIv3 key that doesn't open them.
func (c certificates) open(apiKey string) error {
	block, err := aes.NewCipher([]byte(apiKey))
	if err != nil || len(apiKey) != 32 {
		return probe.Problem(rules.ReasonOther, "the APIv3 key doesn't have 32 characters")
	}
	for _, certificate := range c.Data {
		sealed := certificate.Encrypted
		gcm, err := cipher.NewGCMWithNonceSize(block, max(1, len(sealed.Nonce)))
		if err != nil {
			return probe.Problem(rules.ReasonBody, "the gateway's certificate isn't encrypted as its protocol says")
		}
		text, err := base64.StdEncoding.DecodeString(sealed.Ciphertext)
		if err != nil {
			return probe.Problem(rules.ReasonBody, "the gateway's certificate isn't encrypted as its protocol says")
		}
		if _, err := gcm.Open(nil, []byte(sealed.Nonce), text, []byte(sealed.Associated)); err != nil {
			return refused("the APIv3 key doesn't open what the gateway encrypts: notices of payments are lost")
		}
	}
	return nil
}
