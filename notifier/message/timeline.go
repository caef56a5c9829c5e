package message

import (
	"shopwatch/notifier"
	"shopwatch/rules"
)

// Reopened is the timeline's entry of trouble that came back soon.
func (Words) Reopened(notifier.Incident) rules.Text {
	return rules.Text{
		ZH: "恢复后不久故障再次出现，已通知值班人员。",
		EN: "The problem has come back soon after it was over. The people on call have been alerted.",
	}
}

// Watched is the entry of trouble that came back, and seems over again.
func (Words) Watched(notifier.Incident) rules.Text {
	return rules.Text{
		ZH: "目前看来已经恢复，我们正在观察是否稳定。",
		EN: "It seems to work again. We are watching whether it stays so.",
	}
}

// Eased is the entry of trouble that runs on, and is lighter than it was.
func (Words) Eased(notifier.Incident) rules.Text {
	return rules.Text{
		ZH: "情况有所好转，但尚未完全恢复。",
		EN: "It is better than it was, and not over yet.",
	}
}
