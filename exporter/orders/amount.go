package orders

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// scale is how many decimals an amount is compared in: those of the smallest
// unit in which any shop is paid.
const scale = 8

// sum is an amount as a person typed it.
type sum struct {
	units    int64 // of 10^-scale
	decimals int   // that were typed, 2 to scale
}

// readSum reads an amount as people type and paste it: "12.5", "¥12.50",
// "１２．５０ 元", "1,234.50", "12,50".
func readSum(text string) (sum, bool) {
	text = strings.ReplaceAll(plain(text), " ", "")
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.Is(unicode.Sc, r) || unicode.IsLetter(r) })
	whole, fraction, _ := strings.Cut(point(text), ".")
	if whole == "" && fraction == "" || !digits(whole) || !digits(fraction) {
		return sum{}, false
	}
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if len(whole) > 10 || len(fraction) > scale { // beyond what fits, and what is paid
		return sum{}, false
	}
	units, err := strconv.ParseInt("0"+whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
	return sum{units, max(2, len(fraction))}, err == nil
}

// point leaves the decimal point alone among the points and commas.
func point(text string) string {
	comma := strings.LastIndexByte(text, ',')
	if comma < 0 || strings.Contains(text, ".") || len(text)-comma-1 == 3 { // 1,234.50 and 1,234
		return strings.ReplaceAll(text, ",", "")
	}
	return text[:comma] + "." + text[comma+1:] // 12,50
}

func digits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}

// is reports whether a sum is the amount of an order, rounded to the decimals
// that were typed.
func (s sum) is(amount float64) bool {
	// By way of decimal text, in which 12.30 is 12.30.
	units, err := strconv.ParseInt(strings.Replace(strconv.FormatFloat(amount, 'f', scale, 64), ".", "", 1), 10, 64)
	if err != nil { // greater than any that was typed, or no number
		return false
	}
	step := int64(math.Pow10(scale - s.decimals))
	return (units+step/2)/step*step == s.units
}

// plain is a text with what keyboards for Chinese and copied pages put in its
// place: full-width characters are narrow, spaces are spaces, and what can't be
// seen is gone.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '。':
			return '.'
		case r == '、':
			return ','
		case r >= '！' && r <= '～': // U+FF01 to U+FF5E
			return r - '！' + '!'
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text))
}
