package console

import "fmt"

// words are what an operator who reads Chinese is told instead of the words of
// the treaty, which stand in the English page as they are.
var words = map[string]string{
	"operational": "正常", "degraded": "变慢", "outage": "故障", "unknown": "未知", "maintenance": "维护",
	"investigating": "排查中", "identified": "已定位", "monitoring": "观察中", "resolved": "已恢复", "postmortem": "复盘",
	"none": "无影响", "minor": "轻微", "major": "较大", "critical": "严重",
	"warning": "警告", "info": "提示",
	"ops": "运维", "management": "管理层", "subscribers": "订阅者",
	"telegram": "Telegram", "email": "邮件", "sms": "短信",
}

// Word gives a status, an impact, a severity, an audience or a channel in the
// page's language.
func (p page) Word(of any) string {
	word := fmt.Sprint(of)
	if said, known := words[word]; known && p.Chinese {
		return said
	}
	return word
}
