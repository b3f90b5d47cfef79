package rules

import (
	"maps"
	"time"

	"busbar"
)

// CommandDiff is what one version of a rule would have commanded otherwise than another.
type CommandDiff struct {
	Added, Removed []PlayedCommand
	Changed        []ChangedCommand
}

// ChangedCommand is another command to the same device at the same time.
type ChangedCommand struct {
	Was, Is PlayedCommand
}

// DiffCommands compares commands by when they were given and to which device; both are in the order of time.
func DiffCommands(was, is []PlayedCommand) CommandDiff {
	type place struct {
		at     time.Time
		device busbar.DeviceID
	}
	before := make(map[place][]PlayedCommand)
	for _, c := range was {
		at := place{c.At.UTC(), c.DeviceID}
		before[at] = append(before[at], c)
	}
	var d CommandDiff
	matched := make(map[place]int)
	for _, c := range is {
		at := place{c.At.UTC(), c.DeviceID}
		n := matched[at]
		if n >= len(before[at]) {
			d.Added = append(d.Added, c)
			continue
		}
		matched[at]++
		if old := before[at][n]; !old.same(&c.Command) {
			d.Changed = append(d.Changed, ChangedCommand{old, c})
		}
	}
	seen := make(map[place]int)
	for _, c := range was {
		at := place{c.At.UTC(), c.DeviceID}
		if seen[at]++; seen[at] > matched[at] {
			d.Removed = append(d.Removed, c)
		}
	}
	return d
}

// same reports whether a device is told the same.
func (c *Command) same(other *Command) bool {
	return c.Command == other.Command && maps.Equal(c.Parameters, other.Parameters) && c.OnConflict == other.OnConflict &&
		c.ExpiresIn == other.ExpiresIn && c.Start.Equal(other.Start) && c.End.Equal(other.End)
}
