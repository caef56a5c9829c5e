package subscription

import "shopwatch/rules"

// Every word of the pages stands in this file, Chinese and English side by side.

func text(zh, en string) rules.Text { return rules.Text{ZH: zh, EN: en} }

var saySomething = text("出错了，请稍后再试。", "Something went wrong, please try again.")

// What is wrong with a form.
var (
	mistakeMail     = text("请填写一个邮箱地址，例如 name@example.com。", "Please give a mail address such as name@example.com.")
	mistakePhone    = text("请填写一个手机号，例如 13800138000。", "Please give a mobile number such as 13800138000.")
	mistakeEither   = text("请填写一个邮箱地址或手机号，例如 name@example.com 或 13800138000。", "Please give a mail address or a mobile number, such as name@example.com or 13800138000.")
	mistakeServices = text("请至少选一项服务，或者选“全部服务”。", "Please choose at least one service, or “all services”.")
	mistakeQuiet    = text("免打扰要填开始和结束两个不同的时间，或者都不填。", "Quiet hours need a beginning and an end that differ, or neither.")
	mistakeStamp    = text("请再点一次按钮。（页面打开太久，或者提交得太快。）", "Please press the button once more. (The page was open for long, or sent very soon.)")
	mistakeCode     = text("验证码不对，或者已经失效。请核对后再输入，或者重新获取。", "That code is wrong or no longer valid. Please check it, or ask for a new one.")
)

// Pages that say something.
var (
	pageSent = plain{
		head: text("请查收邮件", "Check your mail"),
		text: []rules.Text{
			text("我们给这个邮箱发了一封邮件，请打开里面的链接完成下一步。链接 48 小时内有效，只能用一次。", "We have sent a mail to this address. Open the link in it to go on; it works once, within 48 hours."),
			text("几分钟后还没收到？请看看垃圾邮件箱。同一个地址一天最多发三次。", "Nothing after a few minutes? Look into the spam folder. One address gets at most three mails a day."),
		},
		next: text("返回服务状态", "Back to the status page"), nextTo: "/",
	}
	pageBusy = plain{
		head: text("请稍后再试", "Please try again later"),
		text: []rules.Text{text("刚才的请求太多了，请一小时后再试。", "There were too many requests just now. Please try again in an hour.")},
		next: text("返回服务状态", "Back to the status page"), nextTo: "/",
	}
	pageVoid = plain{
		head: text("这个链接已经失效", "This link is no longer valid"),
		text: []rules.Text{
			text("它可能已经用过、已经过期，或者没有复制完整。如果您刚刚确认过，那就已经订阅成功了。", "It may have been used, be too old, or be incomplete. If you have just confirmed, you are subscribed."),
			text("需要新的链接，请重新填写您的地址。", "For a new one, give your address again."),
		},
		next: text("获取新的链接", "Get a new link"), nextTo: managePath,
	}
	pageTrouble = plain{
		head: text("暂时没能保存", "It could not be saved"),
		text: []rules.Text{text("出错的是我们这边。请过几分钟再试一次。", "The fault is ours. Please try again in a few minutes.")},
		next: text("返回服务状态", "Back to the status page"), nextTo: "/",
	}
	pageForeign = plain{
		head: text("请在本页面上操作", "Please use this page"),
		text: []rules.Text{text("这个请求是从别的网站发来的，没有执行。", "This request came from another website and was not carried out.")},
		next: text("订阅通知", "Get notified"), nextTo: Root,
	}
	pageMissing = plain{
		head: text("没有这个页面", "There is no such page"),
		text: []rules.Text{text("地址可能写错了。", "The address may be mistyped.")},
		next: text("订阅通知", "Get notified"), nextTo: Root,
	}
	pageLeave = plain{
		head:   text("退订通知？", "Stop notices?"),
		text:   []rules.Text{text("退订后，您不会再收到任何通知。以后随时可以重新订阅。", "You will get no more notices. You can sign up again at any time.")},
		button: text("退订", "Unsubscribe"),
		next:   text("不退订，返回服务状态", "Keep them, back to the status page"), nextTo: "/",
	}
	pageLeft = plain{
		head: text("已退订", "You have unsubscribed"),
		text: []rules.Text{text("您不会再收到通知。", "You will get no more notices.")},
		next: text("重新订阅", "Sign up again"), nextTo: Root,
	}
	pageErase = plain{
		head:   text("删除全部数据？", "Erase everything?"),
		text:   []rules.Text{text("您的地址、选择和发送记录都会被删除，无法恢复，也不会再收到通知。只留下一条不含个人信息的删除记录。", "Your address, your choices and the record of what was sent will be erased for good, and you will get no more notices. All that stays is a note of the erasure without personal data.")},
		button: text("全部删除", "Erase everything"),
		next:   text("不删除，返回服务状态", "Keep it, back to the status page"), nextTo: "/",
	}
	pageErased = plain{
		head: text("已全部删除", "Everything is erased"),
		text: []rules.Text{text("我们不再保存您的任何数据。", "We hold no data of yours any more.")},
		next: text("返回服务状态", "Back to the status page"), nextTo: "/",
	}
)

// Fixed words that templates ask for by key.
var labels = map[string]rules.Text{
	"state":         text("服务状态", "Service status"),
	"home":          text("返回当前状态", "Back to current status"),
	"signUp":        text("订阅通知", "Get notified"),
	"signUpLead":    text("出故障、恢复和计划维护时，第一时间告诉您。免费，随时可以退订。", "Hear at once when something fails, when it works again, and of planned maintenance. Free; leave whenever you like."),
	"mail":          text("邮箱地址", "Mail address"),
	"phone":         text("手机号", "Mobile number"),
	"mailOrPhone":   text("邮箱地址或手机号", "Mail address or mobile number"),
	"addressHint":   text("只用来发通知，加密保存，不会公开。", "Used for notices alone, kept encrypted, never shown."),
	"what":          text("通知范围", "What to hear of"),
	"allServices":   text("全部服务", "All services"),
	"someServices":  text("只看这些服务", "Only these services"),
	"severity":      text("严重程度", "Severity"),
	"anySeverity":   text("所有故障", "Every incident"),
	"majorOnly":     text("只要严重故障", "Major incidents only"),
	"language":      text("通知语言", "Language of notices"),
	"quiet":         text("免打扰时段", "Quiet hours"),
	"quietHint":     text("这段时间的消息会在结束时合成一条发送。不填就是随时通知。时区：", "What happens meanwhile is told in one message at their end. Leave empty to hear at any time. Time zone:"),
	"from":          text("从", "From"),
	"to":            text("到", "To"),
	"submit":        text("订阅", "Sign up"),
	"trap":          text("请不要填写", "Leave this empty"),
	"already":       text("已经订阅了？修改或退订", "Subscribed already? Change or leave"),
	"telegram":      text("也可以在 Telegram 里订阅", "Or subscribe in Telegram"),
	"noSignUp":      text("现在暂时不能在这里订阅，请过一会儿再来。", "Nobody can sign up here right now. Please come back later."),
	"mistakes":      text("还差一点：", "Not quite yet:"),
	"codeHead":      text("请输入验证码", "Enter the code"),
	"codeLead":      text("我们给这个手机号发了一条短信，里面有 6 位验证码，10 分钟内有效。", "We have sent a text message with a code of 6 digits to this number; it is good for 10 minutes."),
	"code":          text("6 位验证码", "Code of 6 digits"),
	"confirm":       text("确认", "Confirm"),
	"codeAgain":     text("没收到？重新填写手机号", "Nothing came? Give the number again"),
	"confirmHead":   text("确认订阅", "Confirm your subscription"),
	"confirmLead":   text("点一下按钮，就会把下面这些通知发到：", "Press the button to have these notices sent to:"),
	"confirmButton": text("确认订阅", "Yes, notify me"),
	"confirmNot":    text("不是您本人申请的？什么都不用做，我们不会再发通知。", "It wasn't you? Do nothing, and you will get no notices."),
	"wayBack":       text("修改或退订", "Change or leave"),
	"wayBackLead":   text("填写订阅时用的地址。如果它订阅过，我们会把修改链接或验证码发过去。", "Give the address that you signed up with. If it is subscribed, we will send it a link or code."),
	"send":          text("发给我", "Send it"),
	"manageHead":    text("我的订阅", "My subscription"),
	"manageOf":      text("通知发到：", "Notices go to:"),
	"save":          text("保存", "Save"),
	"leave":         text("退订", "Unsubscribe"),
	"leaveLead":     text("不再接收任何通知。", "No more notices."),
	"data":          text("我的数据", "My data"),
	"export":        text("下载我们保存的全部数据（JSON）", "Download all that we hold (JSON)"),
	"erase":         text("删除全部数据", "Erase everything"),
	"saidConfirmed": text("确认成功，您已经订阅。", "Confirmed: you are subscribed."),
	"saidSaved":     text("已保存。", "Saved."),
}
