package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"busbar"
)

// deviceRow is a row of devices: what an owner says.
type deviceRow struct {
	Environment    string `gorm:"column:environment;primaryKey"`
	ID             string `gorm:"column:id;primaryKey"`
	Family         string `gorm:"column:family"`
	SiteID         string `gorm:"column:site_id"`
	Name           string `gorm:"column:name"`
	Vendor         string `gorm:"column:vendor"`
	Model          string `gorm:"column:model"`
	UserID         string `gorm:"column:user_id"`
	StaleAfter     int64  `gorm:"column:stale_after"`
	DriverKind     string `gorm:"column:driver_kind"`
	DriverURL      string `gorm:"column:driver_url"`
	DriverDeviceID string `gorm:"column:driver_device_id"`
	DriverSecret   []byte `gorm:"column:driver_secret"`
	Commands       string `gorm:"column:commands"`
	Settings       string `gorm:"column:settings"`
	CreatedAt      int64  `gorm:"column:created_at"`
	UpdatedAt      int64  `gorm:"column:updated_at;autoUpdateTime:false"`
}

// TableName names the table for gorm.
func (deviceRow) TableName() string { return "devices" }

func (r *deviceRow) position() position { return position{r.CreatedAt, r.ID} }

func (r *deviceRow) secretContext() string { return "device_driver:" + r.Environment + ":" + r.ID }

func (s *Store) newDeviceRow(d *busbar.Device) (deviceRow, error) {
	row := deviceRow{
		Environment: string(d.Environment), ID: string(d.ID), Family: string(d.Family), SiteID: string(d.SiteID), Name: d.Name,
		Vendor: d.Vendor, Model: d.Model, UserID: d.UserID, StaleAfter: d.StaleAfter.Microseconds(),
		DriverKind: string(d.Driver.Kind), DriverURL: d.Driver.URL, DriverDeviceID: d.Driver.DeviceID,
		CreatedAt: micros(d.CreatedAt), UpdatedAt: micros(d.UpdatedAt),
	}
	var err error
	if row.Commands, err = marshalText(d.Commands); err != nil {
		return row, err
	}
	if row.Settings, err = marshalText(d.Settings); err != nil {
		return row, err
	}
	if d.Driver.Secret == "" {
		return row, nil
	}
	if row.DriverSecret, err = s.keyring.Seal([]byte(d.Driver.Secret), row.secretContext()); err != nil {
		return row, fmt.Errorf("seal secret of driver: %w", err)
	}
	return row, nil
}

// device fills in what an owner says. Opening the driver's secret is left to withSecret, for the few who need it.
func (r *deviceRow) device() (busbar.Device, error) {
	d := r.bare()
	if err := json.Unmarshal([]byte(r.Commands), &d.Commands); err != nil {
		return d, fmt.Errorf("read commands of %s: %w", r.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Settings), &d.Settings); err != nil {
		return d, fmt.Errorf("read settings of %s: %w", r.ID, err)
	}
	return d, nil
}

// bare is the device without its commands and settings, which telemetry has no use for.
func (r *deviceRow) bare() busbar.Device {
	return busbar.Device{
		Environment: busbar.Environment(r.Environment), ID: busbar.DeviceID(r.ID), Family: busbar.Family(r.Family),
		SiteID: busbar.SiteID(r.SiteID), Name: r.Name, Vendor: r.Vendor, Model: r.Model, UserID: r.UserID,
		StaleAfter: time.Duration(r.StaleAfter) * time.Microsecond,
		Driver:     busbar.Driver{Kind: busbar.DriverKind(r.DriverKind), URL: r.DriverURL, DeviceID: r.DriverDeviceID},
		CreatedAt:  fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

func (s *Store) withSecret(d *busbar.Device, r *deviceRow) error {
	if len(r.DriverSecret) == 0 {
		return nil
	}
	secret, err := s.keyring.Open(r.DriverSecret, r.secretContext())
	if err != nil {
		return fmt.Errorf("open secret of the driver of %s: %w", r.ID, err)
	}
	d.Driver.Secret = string(secret)
	return nil
}

// deviceStateRow is a row of device_states: what a device says.
type deviceStateRow struct {
	Environment  string `gorm:"column:environment;primaryKey"`
	DeviceID     string `gorm:"column:device_id;primaryKey"`
	Connection   string `gorm:"column:connection"`
	WasConnected bool   `gorm:"column:was_connected"`
	ConnectionAt int64  `gorm:"column:connection_at"`
	State        string `gorm:"column:state"`
	Announced    string `gorm:"column:announced"`
	ObservedAt   string `gorm:"column:observed_at"`
	StateAt      int64  `gorm:"column:state_at"`
	ReportedAt   int64  `gorm:"column:reported_at"`
	CheckAt      int64  `gorm:"column:check_at"`
	KeptAt       int64  `gorm:"column:kept_at"`
	SyncLost     bool   `gorm:"column:sync_lost"`
	HeldUntil    int64  `gorm:"column:held_until"`
	Echo         string `gorm:"column:echo"`
}

// TableName names the table for gorm.
func (deviceStateRow) TableName() string { return "device_states" }

func newDeviceStateRow(d *busbar.Device) (deviceStateRow, error) {
	row := deviceStateRow{
		Environment: string(d.Environment), DeviceID: string(d.ID), Connection: string(d.Connection), WasConnected: d.WasConnected,
		ConnectionAt: micros(d.ConnectionAt),
		StateAt:      micros(d.StateAt), ReportedAt: micros(d.ReportedAt), CheckAt: micros(d.CheckAt), KeptAt: micros(d.KeptAt),
		SyncLost: d.SyncLost, HeldUntil: micros(d.HeldUntil),
	}
	observed := make(map[string]int64, len(d.ObservedAt))
	for name, at := range d.ObservedAt {
		observed[name] = micros(at)
	}
	var err error
	if row.State, err = marshalText(d.State); err != nil {
		return row, err
	}
	if row.Announced, err = marshalText(d.Announced); err != nil {
		return row, err
	}
	if row.ObservedAt, err = marshalText(observed); err != nil {
		return row, err
	}
	if d.Echo != nil {
		row.Echo, err = marshalText(d.Echo)
	}
	return row, err
}

// apply fills in what a device says.
func (r *deviceStateRow) apply(d *busbar.Device) error {
	d.Connection, d.WasConnected, d.ConnectionAt = busbar.Connection(r.Connection), r.WasConnected, fromMicros(r.ConnectionAt)
	d.StateAt, d.ReportedAt, d.CheckAt, d.KeptAt = fromMicros(r.StateAt), fromMicros(r.ReportedAt), fromMicros(r.CheckAt), fromMicros(r.KeptAt)
	d.SyncLost, d.HeldUntil = r.SyncLost, fromMicros(r.HeldUntil)
	var observed map[string]int64
	err := errors.Join(
		json.Unmarshal([]byte(r.State), &d.State), json.Unmarshal([]byte(r.Announced), &d.Announced),
		json.Unmarshal([]byte(r.ObservedAt), &observed),
	)
	if err != nil {
		return fmt.Errorf("read state of %s: %w", r.DeviceID, err)
	}
	d.ObservedAt = make(map[string]time.Time, len(observed))
	for name, at := range observed {
		d.ObservedAt[name] = fromMicros(at)
	}
	if r.Echo != "" {
		if err := json.Unmarshal([]byte(r.Echo), &d.Echo); err != nil {
			return fmt.Errorf("read last command of %s: %w", r.DeviceID, err)
		}
	}
	return nil
}

// marshalText is for columns that hold JSON.
func marshalText(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("write %T: %w", v, err)
	}
	return string(b), nil
}
