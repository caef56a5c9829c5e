package dujiaonext

import "fmt"

// Purchases is the statement that reads the purchases which a condition picks.
func Purchases(which string) string { return fmt.Sprintf(purchases, which) }
