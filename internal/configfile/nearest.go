package configfile

// nearest is the known name that a slip of the fingers makes the given one, or "".
func nearest(given string, known []string) string {
	best, least := "", 1+min(3, len(given)/2)
	if len(given) > 40 {
		return ""
	}
	for _, name := range known {
		if distance := editDistance(given, name); distance < least {
			best, least = name, distance
		}
	}
	return best
}

// editDistance is the number of letters to insert, remove, replace, or swap
// with their neighbour to make b of a (optimal string alignment).
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
