package kamifaka

// Code is what becomes of a payment's name.
var Code = code

// Codes are the names that have a code of their own.
var Codes = codes

// Remember sets how many handouts are remembered.
func (d *Driver) Remember(most int) { d.handouts.most = most }
