package web

import (
	"maps"
	"net/textproto"
	"slices"

	blackbox "github.com/prometheus/blackbox_exporter/config"
	"go.yaml.in/yaml/v3"

	"shopwatch/exporter"
)

// hidden stands for what is not shown.
const hidden = "<secret>"

// harmless are request headers that hold no credentials.
var harmless = []string{
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Content-Type", "Host",
	"If-Modified-Since", "Origin", "Pragma", "Range", "Referer", "Upgrade-Insecure-Requests", "User-Agent",
}

// credentials says what of a module may be a credential, "" if nothing. What
// it sends might be one, so a body and a line of a conversation count: told too
// much is a refusal that can be lifted by a line of configuration; told too
// little is a password sent to whoever holds the token.
func credentials(module exporter.Module) string {
	if module.Blackbox == nil {
		switch module.Kind {
		case exporter.KindTLS:
			return ""
		case exporter.KindMySQL:
			return login(module.MySQL)
		case exporter.KindPostgres:
			return login(module.Postgres)
		case exporter.KindRedis:
			if module.Redis != nil && module.Redis.User == "" && module.Redis.Password == "" {
				return ""
			}
		case exporter.KindSMTP:
			if module.SMTP != nil && module.SMTP.User == "" && module.SMTP.Password == "" {
				return ""
			}
		case exporter.KindPayment:
			if p := module.Payment; p != nil && p.Merchant == "" && p.Key == "" && p.APIKey == "" && p.Serial == "" {
				return ""
			}
		}
		return "the credentials of its " + string(module.Kind)
	}
	switch b := module.Blackbox; module.Kind {
	case exporter.KindHTTP:
		return httpCredentials(b.HTTP)
	case exporter.KindTCP:
		if slices.ContainsFunc(b.TCP.QueryResponse, func(step blackbox.QueryResponse) bool { return step.Send != "" }) {
			return "what its query_response sends"
		}
	case exporter.KindGRPC:
		if len(b.GRPC.Metadata) > 0 {
			return "its metadata"
		}
	}
	return ""
}

func login(database *exporter.Database) string {
	if database != nil && database.User == "" && database.Password == "" {
		return ""
	}
	return "a database login"
}

func httpCredentials(probe blackbox.HTTPProbe) string {
	client := probe.HTTPClientConfig
	switch {
	case client.BasicAuth != nil:
		return "basic_auth"
	case client.Authorization != nil, client.BearerToken != "", client.BearerTokenFile != "":
		return "authorization"
	case client.OAuth2 != nil:
		return "oauth2"
	case client.HTTPHeaders != nil && len(client.HTTPHeaders.Headers) > 0:
		return "http_headers"
	case probe.Body != "", probe.BodyFile != "":
		return "its body"
	}
	for _, name := range slices.Sorted(maps.Keys(probe.Headers)) {
		if !slices.Contains(harmless, textproto.CanonicalMIMEHeaderKey(name)) {
			return "header " + name
		}
	}
	return ""
}

// proxied reports whether a proxy would dial in our stead, where no guard sees
// what.
func proxied(module exporter.Module) bool {
	if module.Blackbox == nil || module.Kind != exporter.KindHTTP {
		return false
	}
	proxy := module.Blackbox.HTTP.HTTPClientConfig.ProxyConfig
	return proxy.ProxyURL.URL != nil || proxy.ProxyFromEnvironment
}

// shown is a module as YAML, without what may be a credential.
func shown(module exporter.Module) []byte {
	if module.Blackbox == nil {
		return []byte(module.String() + "\n")
	}
	cut := *module.Blackbox
	cut.HTTP.Headers = maps.Clone(cut.HTTP.Headers)
	for name := range cut.HTTP.Headers {
		if !slices.Contains(harmless, textproto.CanonicalMIMEHeaderKey(name)) {
			cut.HTTP.Headers[name] = hidden
		}
	}
	if cut.HTTP.Body != "" {
		cut.HTTP.Body = hidden
	}
	client := &cut.HTTP.HTTPClientConfig
	client.HTTPHeaders = nil
	if client.OAuth2 != nil {
		without := *client.OAuth2
		without.EndpointParams = nil
		client.OAuth2 = &without
	}
	cut.GRPC.Metadata = nil
	for name := range module.Blackbox.GRPC.Metadata {
		if cut.GRPC.Metadata == nil {
			cut.GRPC.Metadata = map[string][]string{}
		}
		cut.GRPC.Metadata[name] = []string{hidden}
	}
	cut.TCP.QueryResponse = unsaid(cut.TCP.QueryResponse)
	cut.Unix.QueryResponse = unsaid(cut.Unix.QueryResponse)
	// Passwords and keys are of a type of their own, which prints as <secret>.
	text, err := yaml.Marshal(cut)
	if err != nil {
		return []byte("can't be shown\n")
	}
	return text
}

// unsaid is a conversation without what is sent.
func unsaid(conversation []blackbox.QueryResponse) []blackbox.QueryResponse {
	conversation = slices.Clone(conversation)
	for i := range conversation {
		if conversation[i].Send != "" {
			conversation[i].Send = hidden
		}
	}
	return conversation
}
