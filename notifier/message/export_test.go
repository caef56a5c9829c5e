package message

// TelegramHTML is what Check asks of telegram.html.
var TelegramHTML = telegramHTML
