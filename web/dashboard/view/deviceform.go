package view

import (
	"busbar"
	"busbar/web/api"
)

// DeviceFormPage creates or changes a device.
type DeviceFormPage struct {
	// Device is nil for a new one.
	Device *api.Device
	Sites  []api.Site
	Form   Form
}

// sites are those to choose from: that of the form among them, even if the list is longer than what is offered.
func (p DeviceFormPage) sites() []option {
	options := siteOptions(p.Sites)[1:]
	chosen := p.Form.Get("siteId")
	for _, o := range options {
		if o.value == chosen {
			return options
		}
	}
	if chosen != "" {
		options = append(options, option{chosen, chosen})
	}
	return options
}

func driverOptions() []option {
	return []option{
		{string(busbar.DriverManual), "Manual: takes every command at once, to try things out"},
		{string(busbar.DriverHTTP), "HTTP: commands are posted to a URL"},
		{string(busbar.DriverAmps), "Amps: another API of this kind"},
		{string(busbar.DriverSimulator), "Simulator: the simulated home"},
	}
}

func devicePath(f Frame, id busbar.DeviceID, more string) string {
	return f.At("/devices/" + string(id) + more)
}
