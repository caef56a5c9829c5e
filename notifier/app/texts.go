package app

import (
	"errors"
	"time"

	"shopwatch/notifier"
	"shopwatch/notifier/channel/sms"
	"shopwatch/notifier/config"
	"shopwatch/notifier/dispatch"
)

// smsRate is what a small account with a provider may send a second.
const smsRate = 5

// texts is the line of SMS: its providers in their order, within what they may cost.
func texts(s *config.SMSConfig, now func() time.Time) (dispatch.Line, error) {
	var providers []sms.Provider
	var problems []error
	for _, name := range s.Providers {
		provider, err := textProvider(name, s, now)
		problems = append(problems, err)
		providers = append(providers, provider)
	}
	if err := errors.Join(problems...); err != nil {
		return dispatch.Line{}, err
	}
	channel, err := sms.New(sms.Config{Providers: providers, AllowedPrefixes: s.AllowedPrefixes, Now: now})
	if err != nil {
		return dispatch.Line{}, err
	}
	return dispatch.Line{
		Channel: channel, Pace: notifier.PerSecond(smsRate), Senders: 4, Tells: channel.Tells,
		Daily: map[notifier.Lane]int{notifier.LanePublic: s.DailyLimit}, RecipientDaily: s.PerNumberDailyLimit,
	}, nil
}

func textProvider(name string, s *config.SMSConfig, now func() time.Time) (sms.Provider, error) {
	switch name {
	case config.Aliyun:
		return sms.NewAliyun(sms.AliyunConfig{
			AccessKeyID: s.Aliyun.AccessKeyID, AccessKeySecret: s.Aliyun.AccessKeySecret.Reveal(), SignName: s.Aliyun.SignName,
			Endpoint: s.Aliyun.Endpoint, Templates: s.Aliyun.Templates, Now: now,
		})
	case config.Tencent:
		return sms.NewTencent(sms.TencentConfig{
			SecretID: s.Tencent.SecretID, SecretKey: s.Tencent.SecretKey.Reveal(), AppID: s.Tencent.AppID, SignName: s.Tencent.SignName,
			Region: s.Tencent.Region, Endpoint: s.Tencent.Endpoint, Templates: s.Tencent.Templates,
		})
	case config.Twilio:
		return sms.NewTwilio(sms.TwilioConfig{
			AccountSID: s.Twilio.AccountSID, KeySID: s.Twilio.KeySID, KeySecret: s.Twilio.KeySecret.Reveal(), From: s.Twilio.From,
			MessagingService: s.Twilio.MessagingService, Endpoint: s.Twilio.Endpoint,
		})
	}
	g := s.Gateway
	return sms.NewGateway(sms.GatewayConfig{
		Method: g.Method, URL: g.URL.Reveal(), Secret: g.Secret.Reveal(), Query: g.Query, Headers: g.Headers, Form: g.Form, JSON: g.JSON,
		Templates: g.Templates, Result: sms.Result(g.Result),
	})
}
