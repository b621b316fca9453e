// Package process says what this process has taken so far.
package process

import (
	"fmt"
	"os"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in nanoseconds, which all processes of a machine share.
func Now() int64 {
	var time unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &time); err != nil {
		panic(err) // the clock is always there
	}
	return time.Nano()
}

// CPU is the time on processors, of all threads, in milliseconds.
func CPU() float64 {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		panic(err) // the arguments are right
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e6
}

var highWater = regexp.MustCompile(`VmHWM:\s*(\d+) kB`)

// PeakRSS is the most memory that this program has ever had, in kB (proc(5), VmHWM).
func PeakRSS() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("no VmHWM in /proc/self/status")
	}
	return strconv.Atoi(string(found[1]))
}
