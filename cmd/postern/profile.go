//go:build profile

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// profileFor is how long what is written at a time is about. A benchmark ends what it measures without a word.
const profileFor = 20 * time.Second

// init has a program that was built with this tag write, to the folder that POSTERN_PROFILE names, what it spends its time on: see scripts/profile.
func init() {
	if folder := os.Getenv("POSTERN_PROFILE"); folder != "" {
		go profile(folder)
	}
}

// profile writes one file after the other, each of which has its name once it is whole.
func profile(folder string) {
	for n := 0; ; n++ {
		name := filepath.Join(folder, fmt.Sprintf("%d-%d.pprof", os.Getpid(), n))
		file, err := os.Create(name + ".part")
		if err == nil {
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "postern: profile:", err)
			return
		}
		time.Sleep(profileFor)
		pprof.StopCPUProfile()
		_ = file.Close()
		_ = os.Rename(name+".part", name)
	}
}
