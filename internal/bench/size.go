package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of bytes, written as 512, 1KiB or 2MiB.
type Size int64

// Binary multiples of a byte.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
)

// UnmarshalText reads a whole number with an optional unit B, KiB or MiB.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := string(text), Size(1)
	for _, u := range []struct {
		suffix string
		unit   Size
	}{{"KiB", KiB}, {"MiB", MiB}, {"B", 1}} {
		if head, found := strings.CutSuffix(number, u.suffix); found {
			number, unit = head, u.unit
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("size %q is not a number of bytes, KiB or MiB", text)
	}
	*s = Size(n) * unit
	return nil
}

// String writes the size in the largest unit that keeps it a whole number.
func (s Size) String() string {
	switch {
	case s >= MiB && s%MiB == 0:
		return strconv.FormatInt(int64(s/MiB), 10) + "MiB"
	case s >= KiB && s%KiB == 0:
		return strconv.FormatInt(int64(s/KiB), 10) + "KiB"
	default:
		return strconv.FormatInt(int64(s), 10) + "B"
	}
}
