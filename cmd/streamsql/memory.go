package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memoryBudget reads --memory-budget: a size, or a share of what the machine or its cgroup has.
func memoryBudget(text string) (int64, error) {
	share, isShare := strings.CutSuffix(strings.TrimSpace(text), "%")
	if !isShare {
		n, err := parseBytes(text)
		if err == nil && n < 64<<20 {
			err = fmt.Errorf("--memory-budget must be at least 64MiB, not %s", text)
		}
		return n, err
	}
	percent, err := strconv.ParseFloat(share, 64)
	if err != nil || percent <= 0 || percent > 100 {
		return 0, fmt.Errorf("--memory-budget must be a size such as 2GiB or a share such as 60%%, not %q", text)
	}
	return int64(float64(machineMemory()) * percent / 100), nil
}

// machineMemory is the memory that this process can have: the cgroup's limit, or the machine's.
func machineMemory() int64 {
	total := int64(4 << 30) // where the system does not say
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range bytes.Lines(b) {
			if rest, ok := bytes.CutPrefix(line, []byte("MemTotal:")); ok {
				if kb, err := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64); err == nil {
					total = kb << 10
				}
			}
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(file); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 {
				total = min(total, n)
			}
		}
	}
	return total
}

// parseBytes reads a size: 512MB, 2GiB, 1048576.
func parseBytes(text string) (int64, error) {
	t := strings.ToUpper(strings.TrimSpace(text))
	i := len(t)
	for i > 0 && (t[i-1] < '0' || t[i-1] > '9') {
		i--
	}
	units := map[string]int64{"": 1, "B": 1, "K": 1 << 10, "KB": 1e3, "KIB": 1 << 10, "M": 1 << 20, "MB": 1e6, "MIB": 1 << 20,
		"G": 1 << 30, "GB": 1e9, "GIB": 1 << 30, "T": 1 << 40, "TB": 1e12, "TIB": 1 << 40}
	unit, ok := units[strings.TrimSpace(t[i:])]
	n, err := strconv.ParseFloat(strings.TrimSpace(t[:i]), 64)
	if err != nil || !ok || n < 0 {
		return 0, fmt.Errorf("%q is not a size such as 512MiB or 2GB", text)
	}
	return int64(n * float64(unit)), nil
}
