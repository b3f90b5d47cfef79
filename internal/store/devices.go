package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// DeviceFilter narrows a list of devices; what is empty does not.
type DeviceFilter struct {
	Family busbar.Family
	SiteID busbar.SiteID
	UserID string
}

// Devices gives devices, newest first, without the secrets of their drivers.
func (s *Store) Devices(ctx context.Context, env busbar.Environment, f DeviceFilter, req busbar.PageRequest) (busbar.Page[busbar.Device], error) {
	// devices_by_site, devices_by_user, devices_by_family or devices_list
	db := s.read.WithContext(ctx)
	q := db.Where("environment = ?", string(env))
	q = equal(q, "family", string(f.Family))
	q = equal(q, "site_id", string(f.SiteID))
	q = equal(q, "user_id", f.UserID)
	list, err := page(q, req, "created_at", (*deviceRow).position, (*deviceRow).device)
	if err != nil {
		return list, err
	}
	return list, s.addStates(db, env, list.Items)
}

// DevicesOfSite gives all devices of a site in the order of their ids, without the secrets of their drivers.
func (s *Store) DevicesOfSite(ctx context.Context, env busbar.Environment, id busbar.SiteID) ([]busbar.Device, error) {
	return s.devicesOfSite(s.read.WithContext(ctx), env, id)
}

func (s *Store) devicesOfSite(db *gorm.DB, env busbar.Environment, id busbar.SiteID) ([]busbar.Device, error) {
	var rows []deviceRow
	// devices_by_site
	err := db.Where("environment = ? AND site_id = ?", string(env), string(id)).Order("id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read devices of a site: %w", translate(err))
	}
	devices := make([]busbar.Device, len(rows))
	for i := range rows {
		if devices[i], err = rows[i].device(); err != nil {
			return nil, err
		}
	}
	return devices, s.addStates(db, env, devices)
}

// addStates adds what devices of one environment say to what their owners say.
func (s *Store) addStates(db *gorm.DB, env busbar.Environment, devices []busbar.Device) error {
	byID := make(map[string]*busbar.Device, len(devices))
	ids := make([]string, len(devices))
	for i := range devices {
		ids[i] = string(devices[i].ID)
		byID[ids[i]] = &devices[i]
	}
	for start := 0; start < len(ids); start += insertBatch {
		var states []deviceStateRow
		// The primary key of device_states.
		err := db.Where("environment = ? AND device_id IN ?", string(env), ids[start:min(start+insertBatch, len(ids))]).Find(&states).Error
		if err != nil {
			return fmt.Errorf("read states of devices: %w", translate(err))
		}
		for i := range states {
			if err := states[i].apply(byID[states[i].DeviceID]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Device gives one device, or DEVICE_NOT_FOUND, without the secret of its driver.
func (s *Store) Device(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (busbar.Device, error) {
	d, _, err := s.takeDevice(s.read.WithContext(ctx), env, id)
	return d, err
}

// DeviceWithSecret gives one device, or DEVICE_NOT_FOUND, with the secret of its driver.
func (s *Store) DeviceWithSecret(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (busbar.Device, error) {
	d, row, err := s.takeDevice(s.read.WithContext(ctx), env, id)
	if err != nil {
		return d, err
	}
	err = s.withSecret(&d, &row)
	return d, err
}

func (s *Store) takeDevice(db *gorm.DB, env busbar.Environment, id busbar.DeviceID) (busbar.Device, deviceRow, error) {
	var row deviceRow
	err := db.Where("environment = ? AND id = ?", string(env), string(id)).Take(&row).Error
	if err != nil {
		err = notFound(err, "device", string(id))
		if busbar.CodeOf(err) == busbar.CodeNotFound {
			err = busbar.DeviceNotFound(id)
		}
		return busbar.Device{}, row, err
	}
	d, err := row.device()
	if err != nil {
		return d, row, err
	}
	one := []busbar.Device{d}
	err = s.addStates(db, env, one)
	return one[0], row, err
}

// CreateDevice adds a device to a site that exists. An id that is taken, and a site that is full, are a CONFLICT.
func (tx *Tx) CreateDevice(d *busbar.Device) error {
	if err := tx.store.excludeDecisions(tx.db, d.Environment); err != nil {
		return err
	}
	site, err := takeSite(tx.db, d.Environment, d.SiteID)
	if err != nil {
		return err
	}
	if err := roomAt(tx.db, &site); err != nil {
		return err
	}
	row, err := tx.store.newDeviceRow(d)
	if err != nil {
		return err
	}
	if err := created(tx.db.Create(&row).Error, "device", row.ID); err != nil {
		return err
	}
	state, err := newDeviceStateRow(d)
	if err != nil {
		return err
	}
	if err := tx.db.Create(&state).Error; err != nil {
		return fmt.Errorf("insert state of device: %w", err)
	}
	if err := tx.store.planPull(tx.db, d); err != nil {
		return err
	}
	return raiseSeq(tx.db, d.Environment, d.SiteID)
}

func roomAt(db *gorm.DB, site *busbar.Site) error {
	var have int64
	// devices_by_site
	err := db.Model(&deviceRow{}).Where("environment = ? AND site_id = ?", string(site.Environment), string(site.ID)).Count(&have).Error
	if err != nil {
		return fmt.Errorf("count devices: %w", err)
	}
	if have >= busbar.MaxDevicesPerSite {
		return busbar.Errorf(busbar.CodeConflict, "a site has at most %d devices", busbar.MaxDevicesPerSite)
	}
	return nil
}

// raiseSeq notes that what a rule can read at a site has changed.
func raiseSeq(db *gorm.DB, env busbar.Environment, id busbar.SiteID) error {
	err := db.Exec("UPDATE sites SET seq = seq + 1 WHERE environment = ? AND id = ?", string(env), string(id)).Error
	if err != nil {
		return fmt.Errorf("raise number of site %s: %w", id, err)
	}
	return nil
}

// UpdateDevice changes what its owner says of a device and returns the device as it then is, with the secret of its driver. What the
// device says stays. An error of change leaves everything as it was.
func (s *Store) UpdateDevice(
	ctx context.Context, env busbar.Environment, id busbar.DeviceID, change func(*busbar.Device) error,
) (busbar.Device, error) {
	var d busbar.Device
	err := s.saveDevices(ctx, env, func(db *gorm.DB) error {
		was, row, err := s.takeDevice(db, env, id)
		if err != nil {
			return err
		}
		if err := s.withSecret(&was, &row); err != nil {
			return err
		}
		d = was
		if err := change(&d); err != nil {
			return err
		}
		d.ID, d.Environment, d.Family, d.CreatedAt, d.UpdatedAt = was.ID, was.Environment, was.Family, was.CreatedAt, s.now()
		if d.SiteID != was.SiteID {
			if err := s.moveDevice(db, &was, d.SiteID); err != nil {
				return err
			}
		}
		if row, err = s.newDeviceRow(&d); err != nil {
			return err
		}
		if err := db.Save(&row).Error; err != nil {
			return fmt.Errorf("save device: %w", err)
		}
		if d.Driver != was.Driver {
			if err := s.planPull(db, &d); err != nil {
				return err
			}
		}
		if d.StaleAfter != was.StaleAfter {
			if err := setCheckAt(db, &d); err != nil {
				return err
			}
		}
		return raiseSeq(db, env, d.SiteID)
	})
	return d, err
}

// moveDevice checks that a device may move to another site. One with an open action stays: its times were read by the
// clock of the old site.
func (s *Store) moveDevice(db *gorm.DB, was *busbar.Device, to busbar.SiteID) error {
	site, err := takeSite(db, was.Environment, to)
	if err != nil {
		return err
	}
	if err := roomAt(db, &site); err != nil {
		return err
	}
	if err := noOpenAction(db, was.Environment, was.ID); err != nil {
		return err
	}
	return raiseSeq(db, was.Environment, was.SiteID)
}

// planPull has a device read soon when its driver can be read, and never otherwise.
func (s *Store) planPull(db *gorm.DB, d *busbar.Device) error {
	at := int64(0)
	if d.Driver.Kind == busbar.DriverAmps {
		at = micros(s.now())
	}
	return setPullAt(db, DeviceRef{d.Environment, d.ID}, at)
}

func setPullAt(db *gorm.DB, ref DeviceRef, at int64) error {
	err := db.Exec("UPDATE devices SET next_pull_at = ? WHERE environment = ? AND id = ?", at, string(ref.Environment), string(ref.ID)).Error
	if err != nil {
		return fmt.Errorf("plan the next read of a device: %w", err)
	}
	return nil
}

func setCheckAt(db *gorm.DB, d *busbar.Device) error {
	err := db.Model(&deviceStateRow{}).Where("environment = ? AND device_id = ?", string(d.Environment), string(d.ID)).
		Update("check_at", micros(d.StaleAt())).Error
	if err != nil {
		return fmt.Errorf("move the check of %s: %w", d.ID, err)
	}
	return nil
}

func noOpenAction(db *gorm.DB, env busbar.Environment, id busbar.DeviceID) error {
	var open []string
	// actions_slot
	err := db.Raw("SELECT id FROM actions WHERE environment = ? AND device_id = ? AND slot <> ''", string(env), string(id)).Scan(&open).Error
	if err != nil {
		return fmt.Errorf("look for open actions: %w", err)
	}
	if len(open) == 0 {
		return nil
	}
	e := busbar.Errorf(busbar.CodeConflict, "the device has an open action; cancel it or wait for its end")
	e.Details = map[string]any{"conflictingActionIds": open}
	return e
}

// DeleteDevice removes a device that has no open action, and where rules stand with it; its history follows in small steps.
func (s *Store) DeleteDevice(ctx context.Context, env busbar.Environment, id busbar.DeviceID) error {
	err := s.saveDevices(ctx, env, func(db *gorm.DB) error {
		d, _, err := s.takeDevice(db, env, id)
		if err != nil {
			return err
		}
		if err := noOpenAction(db, env, id); err != nil {
			return err
		}
		// States and faults go with it.
		if err := db.Where("environment = ? AND id = ?", string(env), string(id)).Delete(&deviceRow{}).Error; err != nil {
			return fmt.Errorf("delete device: %w", err)
		}
		if err := s.forgetKey(db, env, rules.DeviceKey(id)); err != nil {
			return err
		}
		return raiseSeq(db, env, d.SiteID)
	})
	if err != nil {
		return err
	}
	return s.deleteHistory(context.WithoutCancel(ctx), env, id)
}

// deleteHistory deletes the readings of a device that is gone. What a crash leaves of them ends with the retention.
func (s *Store) deleteHistory(ctx context.Context, env busbar.Environment, id busbar.DeviceID) error {
	for {
		n, err := s.purgeBatch(ctx, `DELETE FROM device_history WHERE (environment, device_id, observed_at, received_at) IN (
			SELECT environment, device_id, observed_at, received_at FROM device_history WHERE environment = ? AND device_id = ? LIMIT ?)`,
			string(env), string(id), cancelBatch)
		if err != nil || n == 0 {
			return err
		}
	}
}

// Silent gives up to limit devices whose silence is to be looked at.
func (s *Store) Silent(ctx context.Context, limit int) ([]DeviceRef, error) {
	var rows []deviceStateRow
	// device_states_check
	err := s.read.WithContext(ctx).Select("environment, device_id").Where("check_at > 0 AND check_at <= ?", micros(s.now())).
		Order("check_at").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for silent devices: %w", translate(err))
	}
	refs := make([]DeviceRef, len(rows))
	for i, r := range rows {
		refs[i] = DeviceRef{busbar.Environment(r.Environment), busbar.DeviceID(r.DeviceID)}
	}
	return refs, nil
}

// ClaimPulls gives up to limit devices that are to be read now, and keeps others off them for a while.
func (s *Store) ClaimPulls(ctx context.Context, limit int, lease time.Duration) ([]DeviceRef, error) {
	var rows []deviceRow
	now := s.now()
	err := s.write(ctx, s.relaxed, func(db *gorm.DB) error {
		rows = nil
		// devices_pull
		q := s.forUpdate(db).Select("environment, id").Where("next_pull_at > 0 AND next_pull_at <= ?", micros(now))
		if err := q.Order("next_pull_at, environment, id").Limit(limit).Find(&rows).Error; err != nil {
			return fmt.Errorf("look for devices to read: %w", err)
		}
		for _, r := range rows {
			ref := DeviceRef{busbar.Environment(r.Environment), busbar.DeviceID(r.ID)}
			if err := setPullAt(db, ref, micros(now.Add(lease))); err != nil {
				return err
			}
		}
		return nil
	})
	refs := make([]DeviceRef, len(rows))
	for i, r := range rows {
		refs[i] = DeviceRef{busbar.Environment(r.Environment), busbar.DeviceID(r.ID)}
	}
	return refs, err
}

// PullAt says when a device is to be read next; the zero time is never.
func (s *Store) PullAt(ctx context.Context, ref DeviceRef, at time.Time) error {
	return s.write(ctx, s.relaxed, func(db *gorm.DB) error { return setPullAt(db, ref, micros(at)) })
}
