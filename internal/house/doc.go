// Package house holds the plan of the house: which package may import which. It has only a test.
package house
