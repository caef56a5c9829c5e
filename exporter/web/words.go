package web

import (
	"net/http"

	"golang.org/x/text/language"

	"shopwatch/rules"
)

var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese, language.TraditionalChinese})

// languageOf is zh or en: as the query says, else as the browser asks.
func languageOf(r *http.Request) string {
	switch asked := r.URL.Query().Get("lang"); asked {
	case "zh", "en":
		return asked
	}
	tags, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // what can't be read asks for nothing
	if _, i, _ := languages.Match(tags...); i > 0 {
		return "zh"
	}
	return "en"
}

// statusWords name a status, with a sign so that no reader depends on colour.
var statusWords = map[rules.Status]rules.Text{
	rules.Operational: {ZH: "✓ 正常", EN: "✓ operational"},
	rules.Degraded:    {ZH: "▲ 偏慢", EN: "▲ degraded"},
	rules.Outage:      {ZH: "✕ 故障", EN: "✕ outage"},
	rules.Unknown:     {ZH: "? 未知", EN: "? unknown"},
}

// reasonWords say what a reason means and what to look at first.
var reasonWords = map[rules.Reason]rules.Text{
	rules.ReasonDNS: {
		ZH: "域名解析失败。请检查域名是否到期、DNS 记录和解析服务商。",
		EN: "The name did not resolve. Check that the domain has not expired, its DNS records and their provider.",
	},
	rules.ReasonConnect: {
		ZH: "连不上：没有人在这个地址和端口应答。请检查进程是否在运行、防火墙和安全组。",
		EN: "No connection: nobody answers at this address and port. Check that the process runs, the firewall and security groups.",
	},
	rules.ReasonTLS: {
		ZH: "TLS 握手失败。请检查端口是否真的提供 TLS，以及协议版本。",
		EN: "The TLS handshake failed. Check that the port does speak TLS, and its versions.",
	},
	rules.ReasonCertificate: {
		ZH: "证书不被信任：过期、域名不符或证书链不完整。请更新证书。",
		EN: "The certificate is not trusted: expired, for another name, or without its chain. Renew it.",
	},
	rules.ReasonTimeout: {
		ZH: "没有在规定时间内完成。请看下面停在哪个阶段，以及服务器负载。",
		EN: "It was not done in time. See below at which phase it stood still, and the server's load.",
	},
	rules.ReasonStatus: {
		ZH: "有应答，但状态码不对。请看服务端的错误日志。",
		EN: "It answered, with the wrong status code. See the server's error log.",
	},
	rules.ReasonBody: {
		ZH: "有应答，但内容不对。页面可能是错误页、维护页或被劫持。",
		EN: "It answered, with the wrong content. It may be an error page, a maintenance page, or hijacked.",
	},
	rules.ReasonAuth: {
		ZH: "用户名、密码或密钥被拒绝。服务本身还活着；请检查凭据。",
		EN: "User, password or key was refused. The service itself is alive; check the credentials.",
	},
	rules.ReasonQuery: {
		ZH: "登录成功，但查询没有得到应有的结果。",
		EN: "It let us in, but the query did not give what it must.",
	},
	rules.ReasonVantage: {
		ZH: "这次没能看成，所以不能断定服务的好坏，也没有因此通知任何人。可能是我们自己的网络断了，具体看下面的说明。",
		EN: "We could not look, so this says nothing about the service, and nobody was told of it. Our own connection may be gone; see the detail below.",
	},
	rules.ReasonOther: {
		ZH: "以其他方式失败，详见下面的说明。",
		EN: "It failed in another way; see the detail below.",
	},
}

// phaseWords name the phases of a look; one that isn't here goes by its own name.
var phaseWords = map[string]rules.Text{
	"resolve":    {ZH: "解析", EN: "resolve"},
	"connect":    {ZH: "连接", EN: "connect"},
	"tls":        {ZH: "TLS", EN: "tls"},
	"greeting":   {ZH: "问候", EN: "greeting"},
	"auth":       {ZH: "登录", EN: "auth"},
	"query":      {ZH: "查询", EN: "query"},
	"processing": {ZH: "等待应答", EN: "processing"},
	"transfer":   {ZH: "传输", EN: "transfer"},
}
