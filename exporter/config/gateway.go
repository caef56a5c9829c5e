package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"time"

	"shopwatch/exporter"
	"shopwatch/internal/configfile"
)

// gateway is what a payment gateway's credentials are: all of needs or none of them.
type gateway struct {
	single bool // there is one URL for all of its merchants
	needs  []string
	may    []string
	rsa    bool // key is an RSA key
}

var gateways = map[string]gateway{
	"alipay":    {single: true, needs: []string{"merchant", "key"}, rsa: true},
	"wechatpay": {single: true, needs: []string{"merchant", "key", "serial"}, may: []string{"api_key"}, rsa: true},
	"epay":      {needs: []string{"merchant", "key"}},
	"codepay":   {needs: []string{"merchant", "key"}},
	"epusdt":    {may: []string{"merchant", "key", "api_key"}},
	"bepusdt":   {may: []string{"merchant", "key", "api_key"}},
}

type paymentFields struct {
	Gateway  string
	Merchant string
	Key      configfile.Secret
	Serial   string
	APIKey   configfile.Secret `yaml:"api_key"`
	Skew     time.Duration
	TLS      configfile.Tree `yaml:"tls_config"`
}

// SetDefaults is called before the file's values.
func (f *paymentFields) SetDefaults() { f.Skew = 5 * time.Minute }

func (b builder) payment(path string, fields paymentFields) *exporter.Payment {
	known, ok := gateways[fields.Gateway]
	if !ok {
		b.add(path, "gateway", fields.Gateway, configfile.OneOf(fields.Gateway, slices.Sorted(maps.Keys(gateways))))
	} else {
		b.credentials(path, fields, known)
	}
	b.positive(path, "skew", fields.Skew)
	return &exporter.Payment{
		Gateway: fields.Gateway, Merchant: fields.Merchant, Key: fields.Key.Reveal(), Serial: fields.Serial,
		APIKey: fields.APIKey.Reveal(), Skew: fields.Skew, TLS: b.tlsWords(fields.TLS),
	}
}

func (b builder) credentials(path string, fields paymentFields, known gateway) {
	given := map[string]bool{
		"merchant": fields.Merchant != "", "key": fields.Key.IsSet(), "serial": fields.Serial != "", "api_key": fields.APIKey.IsSet(),
	}
	some := false
	for name, is := range given {
		some = some || is
		if is && !slices.Contains(known.needs, name) && !slices.Contains(known.may, name) {
			b.add(path, name, configfile.Phrase(name), "nothing: "+fields.Gateway+" has none")
		}
	}
	for _, name := range known.needs {
		if some && !given[name] {
			b.add(path, name, configfile.Phrase("nothing"), "all of "+strings.Join(known.needs, ", ")+", or none of them")
		}
	}
	if known.rsa && given["key"] && !isRSAKey(fields.Key.Reveal()) {
		b.add(path, "key", fields.Key, "an RSA private key: PEM, or the base64 between its lines")
	}
	if fields.Gateway == "wechatpay" && given["api_key"] && len(fields.APIKey.Reveal()) != 32 {
		b.add(path, "api_key", fields.APIKey, "the APIv3 key, 32 characters")
	}
}

// isRSAKey reports whether a text is a private key as the gateways' tools give it.
func isRSAKey(text string) bool {
	var der []byte
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der = block.Bytes
	} else if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
		der = decoded
	}
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return true
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	_, is := parsed.(*rsa.PrivateKey)
	return err == nil && is
}

// smsProviders are the providers, with what each needs besides its key.
var smsProviders = []string{"aliyun", "tencent", "twilio"}

type smsFields struct {
	Provider     string
	KeyID        string            `yaml:"key_id"`
	KeySecret    configfile.Secret `yaml:"key_secret"`
	Region       string
	AppID        string          `yaml:"app_id"`
	SignName     string          `yaml:"sign_name"`
	Template     string          // its code or id
	LeastBalance float64         `yaml:"least_balance"`
	TLS          configfile.Tree `yaml:"tls_config"`
}

func (b builder) sms(path string, fields smsFields) *exporter.SMS {
	if !slices.Contains(smsProviders, fields.Provider) {
		b.add(path, "provider", fields.Provider, configfile.OneOf(fields.Provider, smsProviders))
	}
	if fields.KeyID == "" {
		b.add(path, "key_id", fields.KeyID, "the AccessKeyId, SecretId or account SID")
	}
	if !fields.KeySecret.IsSet() {
		b.add(path, "key_secret", fields.KeySecret, "the key's secret, or its file in key_secret_file")
	}
	if fields.LeastBalance < 0 {
		b.add(path, "least_balance", fields.LeastBalance, "0 or more")
	}
	return &exporter.SMS{
		Provider: fields.Provider, KeyID: fields.KeyID, KeySecret: fields.KeySecret.Reveal(), Region: fields.Region,
		AppID: fields.AppID, SignName: fields.SignName, Template: fields.Template,
		LeastBalance: fields.LeastBalance, TLS: b.tlsWords(fields.TLS),
	}
}
