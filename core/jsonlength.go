package core

import "strings"

// plainLength returns how many bytes a JSON value has where no character of HTML is escaped. Encoders write \u003c for <, so that what was
// within a bound when it was sent would be beyond it when it is sent back as it was got, or imported as it was exported.
func plainLength(value []byte) int {
	n := 0
	for i := 0; i < len(value); n++ {
		switch {
		case value[i] != '\\' || i+1 == len(value):
			i++
		case value[i+1] != 'u' || i+6 > len(value):
			n, i = n+1, i+2 // with the character that is escaped, which may be a backslash
		default:
			switch strings.ToLower(string(value[i+2 : i+6])) {
			case "003c", "003e", "0026": // <, > and &
			case "2028", "2029": // separators, which have three bytes
				n += 2
			default:
				n += 5
			}
			i += 6
		}
	}
	return n
}
