package view

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// DevicesPage is a list of devices.
type DevicesPage struct {
	Now     time.Time
	Devices []api.Device
	Sites   []api.Site
	Filters Form
	Pages   Pages
}

// DevicePage is one device.
type DevicePage struct {
	Now     time.Time
	Device  api.Device
	Site    api.Site
	Charts  []Chart
	Actions []api.Action
	// Runs are the newest that commanded the device.
	Runs   []api.Run
	Names  Names
	Faults []api.Fault
	// Form is one that was refused.
	Form Form
	Once string
}

// sent is the form of a command that was refused; it has no values when that was of another, or none was.
func (p DevicePage) sent(command string) Form {
	if p.Form.Get("command") != command {
		return Form{}
	}
	return p.Form
}

// settingText is what stands in the field of a setting: what was typed, or what it is now.
func (p DevicePage) settingText(name string, now *float64) string {
	if p.Form.Values.Has("setting-" + name) {
		return p.Form.Get("setting-" + name)
	}
	if now == nil {
		return ""
	}
	return number(*now)
}

// SitePage is one site with its devices.
type SitePage struct {
	Now     time.Time
	Site    api.Site
	Devices []api.Device
	// More: the site has devices that are not in the list.
	More bool
	Form Form
}

// SitesPage is the list of sites, with the form that makes one.
type SitesPage struct {
	Sites []api.Site
	Form  Form
	Pages Pages
}

// ActionsPage is a list of actions.
type ActionsPage struct {
	Now     time.Time
	Actions []api.Action
	Names   Names
	Filters Form
	Pages   Pages
}

// ActionPage is one action with its tries.
type ActionPage struct {
	Now    time.Time
	Action api.ActionDetail
	Names  Names
}

func deviceName(d *api.Device) string {
	if d.Name != "" {
		return d.Name
	}
	return string(d.ID)
}

func familyName(f busbar.Family) string {
	switch f {
	case busbar.Battery:
		return "Battery"
	case busbar.EVCharger:
		return "EV charger"
	case busbar.HVAC:
		return "Heating and cooling"
	case busbar.SolarInverter:
		return "Solar inverter"
	case busbar.Vehicle:
		return "Vehicle"
	case busbar.Meter:
		return "Meter"
	default:
		return string(f)
	}
}

func familyIcon(f busbar.Family) string {
	switch f {
	case busbar.Battery:
		return "battery"
	case busbar.EVCharger:
		return "plug"
	case busbar.HVAC:
		return "thermo"
	case busbar.SolarInverter:
		return "sun"
	case busbar.Vehicle:
		return "car"
	case busbar.Meter:
		return "grid"
	default:
		return "device"
	}
}

// words makes two words of a name like chargeRate.
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		} else if i == 0 && r >= 'a' && r <= 'z' {
			r += 'A' - 'a'
		} else if r == '_' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// reading is one field of a device's state in words.
func reading(f *busbar.Field, v any) string {
	switch v := v.(type) {
	case nil:
		return "not known"
	case float64:
		text := number(v)
		if f.Unit != "" {
			text += "\u202f" + f.Unit
		}
		return text
	case bool:
		if v {
			return "yes"
		}
		return "no"
	default:
		return Plain(fmt.Sprint(v))
	}
}

// mainReadings are what a list shows of a device: two fields, in the order of its family.
func mainReadings(d *api.Device) string {
	wanted := map[busbar.Family][]string{
		busbar.Battery: {"level", "chargeRate"}, busbar.EVCharger: {"status", "currentPower"}, busbar.HVAC: {"temperature", "mode"},
		busbar.SolarInverter: {"currentPower", "energyTotal"}, busbar.Vehicle: {"batteryLevel", "plugged"}, busbar.Meter: {"importPower", "price"},
	}[d.DeviceType]
	var parts []string
	for _, name := range wanted {
		f, known := d.DeviceType.Spec().Field(name)
		v, there := d.State[name]
		if !known || !there {
			continue
		}
		if f.Kind == busbar.KindBool {
			parts = append(parts, strings.ToLower(words(name))+": "+reading(f, v))
		} else {
			parts = append(parts, reading(f, v))
		}
	}
	return strings.Join(parts, ", ")
}

func siteName(sites []api.Site, id busbar.SiteID) string {
	for i := range sites {
		if sites[i].ID == id {
			return sites[i].Name
		}
	}
	return string(id)
}

// place is where a site is.
func place(s *api.Site) string {
	if s.Latitude == nil || s.Longitude == nil {
		return "–"
	}
	return strconv.FormatFloat(*s.Latitude, 'f', 3, 64) + ", " + strconv.FormatFloat(*s.Longitude, 'f', 3, 64)
}

func siteOptions(sites []api.Site) []option {
	options := []option{{"", "Any"}}
	for i := range sites {
		options = append(options, option{string(sites[i].ID), Short(Plain(sites[i].Name), 50)})
	}
	return options
}

func familyOptions() []option {
	options := []option{{"", "Any"}}
	for _, f := range busbar.Families() {
		options = append(options, option{string(f), familyName(f)})
	}
	return options
}

// faultOptions say what each fault does.
func faultOptions() []option {
	return []option{
		{string(busbar.FaultOffline), "Offline: cannot be reached"},
		{string(busbar.FaultSlow), "Slow to confirm"},
		{string(busbar.FaultRefuse), "Refuses every command"},
		{string(busbar.FaultRevert), "Confirms, then goes back"},
		{string(busbar.FaultDuplicate), "Says everything twice"},
		{string(busbar.FaultLate), "Readings arrive late"},
		{string(busbar.FaultMissingField), "Leaves a field out"},
	}
}

// commandNames are those of a device in a steady order.
func commandNames(c busbar.Commands) []string { return slices.Sorted(maps.Keys(c)) }

func parametersText(p api.Parameters) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		q := p[name]
		parts = append(parts, name+" "+withSign(number(q.Value), q.Unit))
	}
	return strings.Join(parts, ", ")
}

func actionTone(s busbar.ActionState) (tone, icon string) {
	switch s {
	case busbar.ActionCompleted:
		return "good", "check"
	case busbar.ActionFailed:
		return "bad", "cross"
	case busbar.ActionScheduled, busbar.ActionAcknowledged:
		return "info", "clock"
	case busbar.ActionCancelled:
	}
	return "mute", "minus"
}

// tryText says how a try went.
func tryText(t *api.Try) string {
	text := "Try " + strconv.Itoa(t.Number) + ": "
	switch t.Outcome {
	case busbar.TryAccepted:
		return text + "the device took it"
	case busbar.TryPending:
		return text + "handed over, the result follows"
	case busbar.TryRefused:
		return text + "the device refused it"
	case busbar.TryFailed:
		return text + "it did not get through"
	case busbar.TryInterrupted:
		return text + "it was cut off, and is made again"
	case busbar.TryOpen:
		return text + "under way"
	}
	return text + string(t.Outcome)
}

// title is the command with who is to carry it out.
func (p ActionPage) title() string {
	return p.Action.Command + " to " + p.Names.device(p.Action.DeviceID)
}

func tryTone(o busbar.TryOutcome) string {
	switch string(o) {
	case "accepted":
		return "good"
	case "refused", "failed":
		return "bad"
	default:
		return "info"
	}
}

func stateOptions() []option {
	options := []option{{"", "Any"}}
	for _, s := range []busbar.ActionState{
		busbar.ActionScheduled, busbar.ActionAcknowledged, busbar.ActionCompleted, busbar.ActionFailed, busbar.ActionCancelled,
	} {
		options = append(options, option{string(s), Sentence(string(s))})
	}
	return options
}

// PushPage asks whether a command is meant.
type PushPage struct {
	Device  api.Device
	Form    Form
	Command string
	// Parameters are as they were typed.
	Parameters map[string]string
}

// inWords is the command as a sentence says it.
func (p PushPage) inWords() string {
	parts := []string{p.Command}
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		parts = append(parts, name+" "+withSign(p.Parameters[name], p.Device.Commands[p.Command].Parameters[name].Unit))
	}
	return strings.Join(parts, ", ")
}

// sent are the fields that the confirmed form sends again.
func (p PushPage) sent() map[string]string {
	fields := map[string]string{"command": p.Command, "once": p.Form.Once, "sure": "yes"}
	for _, name := range []string{"onConflict", "holdFor"} {
		if v := p.Form.Get(name); v != "" {
			fields[name] = v
		}
	}
	for name, v := range p.Parameters {
		fields["parameter-"+name] = v
	}
	return fields
}

func parameterNames(c busbar.Capability) []string { return slices.Sorted(maps.Keys(c.Parameters)) }

// canCancel reports whether no device has the command yet, as far as can be told from outside.
func (p ActionPage) canCancel() bool {
	return p.Action.State == busbar.ActionScheduled || p.Action.State == busbar.ActionAcknowledged
}
