package dujiaonext

// Statement is what reads the purchases that a condition picks.
func (d *Driver) Statement(which string) string { return d.statement(which) }
