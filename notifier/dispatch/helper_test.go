package dispatch_test

// helper reports whether this process is one of a test's own, and did its work.
func helper() bool { return false }
