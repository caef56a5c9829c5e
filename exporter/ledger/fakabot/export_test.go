package fakabot

// Statement is what reads the orders that a condition picks.
func (d *Driver) Statement(which string) string { return d.generation.statement(d.DB, which) }
