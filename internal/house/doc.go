// Package house holds the plan of the house. It has tests only: which package may import which, how much the sidecar weighs, that one
// page of the documentation leads on to the others, and that they name metrics and messages as they are.
package house
