package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm/clause"

	"busbar"
)

// DeviceRef names a device.
type DeviceRef struct {
	Environment busbar.Environment
	ID          busbar.DeviceID
}

// SiteRef names a site.
type SiteRef struct {
	Environment busbar.Environment
	ID          busbar.SiteID
}

// Homes are sites and devices as a decision sees them. Whoever changes one says so with Save.
type Homes struct {
	Sites   map[SiteRef]*busbar.Site
	Devices map[DeviceRef]*busbar.Device
}

// Homes reads devices and their sites, and other sites, and locks the sites: nobody else decides about them, or changes what their devices
// say, until this transaction has ended. A device that is not registered is left out. Without whole, only what telemetry needs
// is read of what their owners say.
func (t *DecisionTx) Homes(refs []DeviceRef, sites []SiteRef, whole bool) (*Homes, error) {
	h := &Homes{Sites: make(map[SiteRef]*busbar.Site), Devices: make(map[DeviceRef]*busbar.Device)}
	ids, others := byEnvironment(refs), make(map[busbar.Environment][]string, 2)
	for _, ref := range sites {
		others[ref.Environment] = append(others[ref.Environment], string(ref.ID))
		if _, ok := ids[ref.Environment]; !ok {
			ids[ref.Environment] = nil
		}
	}
	for _, env := range slices.Sorted(maps.Keys(ids)) {
		rows, err := t.deviceRows(env, ids[env], whole)
		if err != nil {
			return nil, err
		}
		if err := t.lockSites(h, env, rows, others[env]); err != nil {
			return nil, err
		}
		devices := make([]busbar.Device, len(rows))
		for i := range rows {
			devices[i] = rows[i].bare()
			if whole {
				if devices[i], err = rows[i].device(); err != nil {
					return nil, err
				}
			}
		}
		if err := t.store.addStates(t.db, env, devices); err != nil {
			return nil, err
		}
		for i := range devices {
			h.Devices[DeviceRef{env, devices[i].ID}] = &devices[i]
		}
	}
	return h, nil
}

// deviceRows reads what the owners of devices say. Saves of devices are kept out, so that the site of each stays.
func (t *DecisionTx) deviceRows(env busbar.Environment, ids []string, whole bool) ([]deviceRow, error) {
	var rows []deviceRow
	for part := range slices.Chunk(ids, insertBatch) {
		var found []deviceRow
		// The primary key of devices.
		q := t.db.Where("environment = ? AND id IN ?", string(env), part)
		if !whole {
			q = q.Select(bareColumns)
		}
		if err := q.Find(&found).Error; err != nil {
			return nil, fmt.Errorf("read devices: %w", err)
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

// byEnvironment sorts ids, each once: all transactions lock in one order.
func byEnvironment(refs []DeviceRef) map[busbar.Environment][]string {
	ids := make(map[busbar.Environment][]string, 2)
	for _, ref := range refs {
		ids[ref.Environment] = append(ids[ref.Environment], string(ref.ID))
	}
	for env := range ids {
		slices.Sort(ids[env])
		ids[env] = slices.Compact(ids[env])
	}
	return ids
}

func (t *DecisionTx) lockSites(h *Homes, env busbar.Environment, devices []deviceRow, ids []string) error {
	for i := range devices {
		ids = append(ids, devices[i].SiteID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for part := range slices.Chunk(ids, insertBatch) {
		var rows []siteRow
		// The primary key of sites, in its order.
		err := t.store.forUpdate(t.db).Where("environment = ? AND id IN ?", string(env), part).Order("id").Find(&rows).Error
		if err != nil {
			return fmt.Errorf("lock sites: %w", err)
		}
		for i := range rows {
			site, err := rows[i].site()
			if err != nil {
				return err
			}
			h.Sites[SiteRef{env, site.ID}] = &site
		}
	}
	return nil
}

// SaveSites writes the numbers that sites have come to.
func (t *DecisionTx) SaveSites(sites []*busbar.Site) error {
	for _, s := range sites {
		err := t.db.Exec("UPDATE sites SET seq = ? WHERE environment = ? AND id = ?", s.Seq, string(s.Environment), string(s.ID)).Error
		if err != nil {
			return fmt.Errorf("save site %s: %w", s.ID, err)
		}
	}
	return nil
}

// stateBatch keeps the statements of SaveDevices short: SQLite's driver looks at every parameter for each that it binds.
const stateBatch = 40

// bareColumns are what telemetry needs of a device's configuration.
const bareColumns = "environment, id, family, site_id, stale_after, driver_kind"

// SaveDevices writes what devices say.
func (t *DecisionTx) SaveDevices(devices []*busbar.Device) error {
	if len(devices) == 0 {
		return nil
	}
	rows := make([]deviceStateRow, len(devices))
	for i, d := range devices {
		var err error
		if rows[i], err = newDeviceStateRow(d); err != nil {
			return err
		}
	}
	slices.SortFunc(rows, func(a, b deviceStateRow) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.DeviceID, b.DeviceID))
	})
	// They exist: this is an update of many rows at once, in words that both databases know.
	err := t.db.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "environment"}, {Name: "device_id"}},
		UpdateAll: true,
	}).CreateInBatches(&rows, stateBatch).Error
	if err != nil {
		return fmt.Errorf("save states of devices: %w", err)
	}
	return nil
}

// AddReadings puts readings into the history. Those of one device and moment are told apart by microseconds of the time
// received.
func (t *DecisionTx) AddReadings(readings []Reading) error {
	if len(readings) == 0 {
		return nil
	}
	type moment struct {
		environment, device  string
		observedAt, received int64
	}
	rows, have := make([]readingRow, len(readings)), make(map[moment]bool, len(readings))
	for i := range readings {
		var err error
		if rows[i], err = newReadingRow(&readings[i]); err != nil {
			return err
		}
		r := &rows[i]
		m := moment{r.Environment, r.DeviceID, r.ObservedAt, r.ReceivedAt}
		for have[m] {
			m.received++
		}
		have[m], r.ReceivedAt = true, m.received
	}
	if err := t.db.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&rows, insertBatch).Error; err != nil {
		return fmt.Errorf("keep readings: %w", err)
	}
	return nil
}
