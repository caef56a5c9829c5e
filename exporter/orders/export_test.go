package orders

// Callers is how many callers are remembered.
func (o *Orders) Callers() int {
	o.limits.mu.Lock()
	defer o.limits.mu.Unlock()
	if len(o.limits.callers) != o.limits.recent.Len() {
		panic("callers and their order differ")
	}
	return len(o.limits.callers)
}

// MaxCallers is how many callers are remembered at most.
const MaxCallers = maxCallers

// ReadQuestion and ReadSum are what strangers' texts go through.
var ReadQuestion = readQuestion

// ReadSum reads an amount, in units of 10^-8 and with its decimals.
func ReadSum(text string) (units int64, decimals int, ok bool) {
	s, ok := readSum(text)
	return s.units, s.decimals, ok
}
