package busbar

// specs are the families as data. Fields, resolutions, commands and their default bounds are those of the public device
// API that Busbar is compatible with; Min and Max of fields are what no home device exceeds, to catch wrong units.
var specs = []*Spec{batterySpec(), chargerSpec(), hvacSpec(), solarSpec(), vehicleSpec(), meterSpec()}

func batterySpec() *Spec {
	target := Parameter{Name: "target", Range: Range{Percent, 10, 100}}
	power := Parameter{Name: "power", Range: Range{Kilowatts, 0, 5}}
	reserve := Parameter{Name: "reserve", Range: Range{Percent, 0, 100}}
	flows := []string{"status", "level", "chargeRate", "currentMode"}
	return &Spec{
		Family: Battery,
		Fields: []Field{
			text("status", "What it does now.", "charging", "discharging", "idle", "standby"),
			number("capacity", "kWh", 100, 0, 10_000, "Usable energy when full."),
			number("level", "%", 10, 0, 100, "State of charge."),
			number("chargeRate", "kW", 20, -1000, 1000, "Power into the battery; negative while it discharges."),
			number("dischargeLimit", "%", 1, 0, 100, "The level below which it does not discharge."),
			text("currentMode", "The command in force.", "charge", "discharge", "idle", ModeBalanced, ModeReserve, ModeExport),
			number("temperature", "°C", 10, -60, 150, "Of the cells."),
		},
		Commands: []CommandSpec{
			{"charge", []Parameter{target, power, reserve}, anyTime(), flows},
			{"discharge", []Parameter{target, power, reserve}, anyTime(), flows},
			{"idle", nil, openEnded(), flows},
			{ModeBalanced, nil, openEnded(), flows},
			{ModeReserve, nil, openEnded(), flows},
			{ModeExport, nil, openEnded(), flows},
		},
		Settings: []Setting{
			{"discharge_floor", Range{Percent, 0, 100}, "The lowest level in normal operation."},
			{"backup_reserve", Range{Percent, 0, 100}, "The lowest level ever, even in a power cut."},
			{"charge_ceiling", Range{Percent, 0, 100}, "The highest level."},
			{"max_export_power", Range{Watts, 0, 1_000_000}, "The most that is fed into the grid."},
			{"max_charge_current", Range{Amps, 0, 1000}, "The most that flows into the battery."},
			{"max_discharge_current", Range{Amps, 0, 1000}, "The most that flows out of the battery."},
		},
		Release: ModeBalanced,
	}
}

func chargerSpec() *Spec {
	flows := []string{"status", "isCharging", "currentPower"}
	return &Spec{
		Family: EVCharger,
		Fields: []Field{
			text("status", "What it does now.", "available", "plugged", "charging", "finished", "fault"),
			flag("isConnected", "A vehicle is plugged in."),
			flag("isCharging", "Energy flows into the vehicle."),
			number("currentPower", "kW", 20, 0, 1000, "Power into the vehicle."),
			number("maxCurrent", "A", 10, 0, 2000, "The most that the charger offers."),
			number("powerRateLimit", "kW", 20, 0, 1000, "The most that the charger was told to give."),
		},
		Commands: []CommandSpec{
			{"charge", []Parameter{{Name: "current", Range: Range{Amps, 6, 32}}}, anyTime(), flows},
			{"idle", nil, openEnded(), flows},
		},
		Settings: []Setting{{"max_charge_rate", Range{Kilowatts, 0, 50}, "The most power of any session."}},
		Release:  "idle",
	}
}

func hvacSpec() *Spec {
	comfort := Range{Celsius, 10, 35}
	target := []Parameter{{Name: "target", Range: comfort, Required: true}}
	held := []string{"temperature", "active", "heatSetpoint", "coolSetpoint", "holdType", "mode"}
	return &Spec{
		Family: HVAC,
		Fields: []Field{
			number("temperature", "°C", 10, -60, 80, "Of the room."),
			flag("active", "It heats or cools now."),
			number("heatSetpoint", "°C", 10, 0, 50, "Below this it heats."),
			number("coolSetpoint", "°C", 10, 0, 50, "Above this it cools."),
			text("holdType", "Whether a schedule or a command is in force.", "follow_schedule", "permanent"),
			text("mode", "The mode in force.", "heat", "cool", "auto", "idle"),
		},
		Commands: []CommandSpec{
			{"heat", target, anyTime(), held},
			{"cool", target, anyTime(), held},
			{"auto", []Parameter{
				{Name: "heatSetpoint", Range: comfort, Required: true}, {Name: "coolSetpoint", Range: comfort, Required: true},
			}, openEnded(), held},
			{"idle", nil, openEnded(), held},
			{CommandFollowSchedule, nil, []Execution{Immediate}, held},
		},
		Release: CommandFollowSchedule,
	}
}

func solarSpec() *Spec {
	return &Spec{Family: SolarInverter, Fields: []Field{
		text("status", "What it does now.", "producing", "idle", "fault"),
		number("currentPower", "kW", 20, -10, 10_000, "Power out of the inverter."),
		flag("producing", "Power comes out."),
		number("energyTotal", "kWh", 10, 0, 1e9, "All that it ever produced."),
	}}
}

func vehicleSpec() *Spec {
	return &Spec{Family: Vehicle, Fields: []Field{
		number("batteryLevel", "%", 10, 0, 100, "State of charge."),
		number("range", "km", 1, 0, 5000, "How far it gets."),
		flag("plugged", "It is plugged in, anywhere."),
		flag("charging", "Energy flows into it."),
		flag("fullyCharged", "It takes no more."),
		number("batteryCapacity", "kWh", 10, 0, 2000, "Usable energy when full."),
		number("chargeLimit", "%", 1, 0, 100, "The level at which it stops charging."),
		number("chargeRate", "kW", 20, -1000, 1000, "Power into its battery."),
		flag("atHome", "It is at its site."),
	}}
}

func meterSpec() *Spec {
	return &Spec{Family: Meter, Fields: []Field{
		number("importPower", "kW", 20, -10_000, 10_000, "Power from the grid; negative while the site feeds into it."),
		number("price", "per kWh", 10_000, -1000, 1000, "What a kWh from the grid costs now, in the site's currency."),
	}}
}

func number(name, unit string, stepsPerUnit, lowest, highest float64, doc string) Field {
	return Field{Name: name, Kind: KindNumber, Unit: unit, StepsPerUnit: stepsPerUnit, Min: lowest, Max: highest, Nullable: true, Doc: doc}
}

func flag(name, doc string) Field { return Field{Name: name, Kind: KindBool, Nullable: true, Doc: doc} }

func text(name, doc string, values ...string) Field {
	return Field{Name: name, Kind: KindText, Enum: values, Nullable: true, Doc: doc}
}

// anyTime is for commands that can be taken back at the end of a window.
func anyTime() []Execution { return []Execution{Immediate, Scheduled, Windowed} }

func openEnded() []Execution { return []Execution{Immediate, Scheduled} }
