// Package commands holds what can be asked at a command line, whichever program it is asked of: 'postern key rotate' is
// 'caddy postern key rotate' too. Where the data lies is for the program to say.
package commands
