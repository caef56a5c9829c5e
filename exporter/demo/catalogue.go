package demo

import "shopwatch/rules"

// product is one thing on sale. Prices are here because dujiao-next keeps them
// with the variants of a product, which this shop has none of.
type product struct {
	slug     string
	title    rules.Text
	about    rules.Text
	price    string  // yuan, two decimals
	manual   bool    // delivered by a person
	share    float64 // of all sales
	currency string
}

// catalogue is all that the shop sells; the shares of sales add up to 1. The
// buyer of a manual product waits for a person, so few of those are sold.
var catalogue = []product{
	{slug: "game-card-50", share: 0.35, price: "47.50", currency: "CNY",
		title: rules.Text{ZH: "星海游戏点卡 50 元", EN: "Starsea game card ¥50"},
		about: rules.Text{ZH: "全服通用，付款后自动发卡，通常几秒内到账。", EN: "Valid on every server. The code is sent by machine, as a rule within seconds of payment."}},
	{slug: "office-licence", share: 0.20, price: "129.00", currency: "CNY",
		title: rules.Text{ZH: "云笺办公 专业版密钥", EN: "Cloudpaper Office Pro licence key"},
		about: rules.Text{ZH: "一机一码，永久有效，支持重装。", EN: "One key for one machine, valid for good, survives a reinstall."}},
	{slug: "music-month", share: 0.25, price: "15.00", currency: "CNY",
		title: rules.Text{ZH: "听岚音乐会员 月卡", EN: "Tinglan Music, one month"},
		about: rules.Text{ZH: "在应用内“兑换中心”输入卡密即可。", EN: "Enter the code in the app under “Redeem”."}},
	{slug: "phone-topup-30", share: 0.15, price: "29.40", currency: "CNY",
		title: rules.Text{ZH: "话费充值码 30 元", EN: "Phone top-up code ¥30"},
		about: rules.Text{ZH: "三网通用，拨打语音热线或在线兑换。", EN: "For every network; redeem online or by phone."}},
	{slug: "account-setup", share: 0.05, price: "199.00", currency: "CNY", manual: true,
		title: rules.Text{ZH: "企业账号代开通（人工）", EN: "Business account set-up (by hand)"},
		about: rules.Text{ZH: "由客服人工处理，营业时间内约十分钟完成。", EN: "A person does this for you, in about ten minutes during office hours."}},
}

// productBySlug finds a product of the catalogue.
func productBySlug(slug string) (product, bool) {
	for _, p := range catalogue {
		if p.slug == slug {
			return p, true
		}
	}
	return product{}, false
}

// paymentIDs are the payments that the shop takes, in the order of the form.
var paymentIDs = []string{serviceAlipay, serviceWeChat, serviceUSDT}

// paymentName is the name of a payment's service.
func paymentName(id string) rules.Text {
	for _, service := range directory {
		if service.ID == id {
			return service.Name
		}
	}
	return rules.Text{ZH: id, EN: id}
}
