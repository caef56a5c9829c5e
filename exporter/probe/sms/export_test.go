package sms

// SignTC3 is signTC3, for the example of Tencent's documentation.
var SignTC3 = signTC3
