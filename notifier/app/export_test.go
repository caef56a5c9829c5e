package app

// Chat is what an address of Telegram leads to, and whether that is a group.
func Chat(address string) (id string, group bool) {
	id, paces := chat(address)
	return id, len(paces) == len(telegramGroup)
}
