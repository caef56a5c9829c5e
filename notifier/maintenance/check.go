package maintenance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"shopwatch/notifier"
	"shopwatch/rules"
)

func invalid(zh, en string) error {
	return &notifier.Error{Code: notifier.Invalid, Message: en, Chinese: zh}
}

// said checks a name and a text.
func said(by string, text rules.Text) (string, rules.Text, error) {
	by, err := notifier.PersonName(by)
	if err != nil {
		return by, text, err
	}
	for _, language := range []*string{&text.ZH, &text.EN} {
		if *language, err = notifier.Written(*language, "text", LongestText, false); err != nil {
			return by, text, err
		}
	}
	return by, notifier.InBoth(text), nil
}

// checked gives the plan with its texts trimmed, or the first thing that won't do.
func (m *Machine) checked(now time.Time, p Plan) (Plan, error) {
	var err error
	if p.By, p.Text, err = said(p.By, p.Text); err != nil {
		return p, err
	}
	for _, language := range []*string{&p.Title.ZH, &p.Title.EN} {
		if *language, err = notifier.Written(*language, "title", LongestTitle, true); err != nil {
			return p, err
		}
	}
	if p.Title == (rules.Text{}) {
		return p, invalid("请写标题，例如“数据库搬迁”", `a maintenance needs a title, as "Moving the database"`)
	}
	if err := m.known(p.Services); err != nil {
		return p, err
	}
	if p.Window.From.IsZero() {
		p.Window.From = now
	}
	p.Services = slices.Clone(p.Services)
	return p, windowed(now, p.Window)
}

// known refuses services that nobody measures: a slip would silence nothing, and
// buyers would look for it in vain.
func (m *Machine) known(keys []string) error {
	switch {
	case len(keys) == 0:
		return invalid("请写受影响的服务，例如 main/alipay；整个店铺写 main", "a maintenance needs its services, as main/alipay, or main for the whole shop")
	case len(keys) > mostServices:
		return invalid(fmt.Sprintf("最多 %d 个服务", mostServices), fmt.Sprintf("a maintenance has at most %d services", mostServices))
	}
	var all []string
	for _, s := range m.cfg.Services() {
		all = append(all, s.Shop, s.Key())
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for _, key := range keys {
		if !slices.Contains(all, key) {
			list := strings.Join(all, ", ")
			return invalid(fmt.Sprintf("没有服务 %.60q，可以写：%s", key, list), fmt.Sprintf("there is no service %.60q; there are %s", key, list))
		}
	}
	return nil
}

func windowed(now time.Time, w notifier.Window) error {
	switch lasts := w.Until.Sub(w.From); {
	case w.Until.IsZero():
		return invalid("请写预计结束的时间", "a maintenance needs the time by which it is to be done")
	case !w.Until.After(now):
		return invalid("预计结束的时间已经过了", "the end is past; give a moment to come")
	case lasts < shortest:
		return invalid("结束要比开始晚至少 1 分钟", "the end is at least 1 minute after the beginning")
	case lasts > longest:
		return invalid("维护最长 7 天", "a maintenance lasts at most 7 days")
	case w.From.Sub(now) > farthest:
		return invalid("开始的时间不能超过一年以后", "the beginning is more than a year off")
	}
	return nil
}

// checkedDraft gives the draft filled in from what stands, or the first thing
// that won't do.
func (m *Machine) checkedDraft(now time.Time, of notifier.Maintenance, d Draft) (Draft, error) {
	var err error
	if d.By, d.Text, err = said(d.By, d.Text); err != nil {
		return d, err
	}
	if !of.Ahead() {
		return d, standing(of, "不能再改", "it can't be changed any more")
	}
	if len(of.Updates) >= mostUpdates {
		return d, invalid(fmt.Sprintf("维护 %s 已有 %d 条进展，不能再多", of.ID, mostUpdates), fmt.Sprintf("maintenance %s has %d updates, the most that one may have", of.ID, mostUpdates))
	}
	if d.Window.From.IsZero() {
		d.Window.From = of.Window.From
	}
	if d.Window.Until.IsZero() {
		d.Window.Until = of.Window.Until
	}
	moved := d.Window != of.Window
	switch {
	case of.Working() && !d.Window.From.Equal(of.Window.From):
		return d, standing(of, "开始的时间不能再改", "when it began can't be changed")
	case moved && !of.Working() && !d.Window.From.After(now):
		return d, invalid("新的开始时间已经过了；现在就开始请用“开始”", "the new beginning is past; to begin now, begin it")
	case moved:
		if err := windowed(now, d.Window); err != nil {
			return d, err
		}
	}
	switch {
	case d.Status == "":
		d.Status = of.Status
	case of.Working() && (d.Status == notifier.InProgress || d.Status == notifier.Verifying), d.Status == of.Status:
	default:
		return d, standing(of, fmt.Sprintf("不能这样改成 %.20q", d.Status), fmt.Sprintf("an update can't make it %.20q", d.Status))
	}
	if !moved && d.Status == of.Status && d.Text == (rules.Text{}) {
		return d, invalid("进展至少要写一项：说明、状态或时间", "an update tells something: a text, another status or another time")
	}
	return d, nil
}
