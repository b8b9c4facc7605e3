// Command bench measures Postern against yardsticks on the same machine in the same run, and prints ratios: goals P1 to
// P11 of docs/performance.md, which says what each means and how to read it.
//
//	make bench                # minutes
//	make bench BENCH=full     # longer rounds, more of them, a million users
//	make bench ONLY=P2,P10
//
// It starts programs that listen on loopback, loads them for a bounded time, ends them, and removes what they wrote. What it
// prints is also appended to bench/out as JSON lines, to compare runs by.
package main
