package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// Sites gives the sites of an environment, newest first.
func (s *Store) Sites(ctx context.Context, env busbar.Environment, req busbar.PageRequest) (busbar.Page[busbar.Site], error) {
	// sites_list
	q := s.read.WithContext(ctx).Where("environment = ?", string(env))
	return page(q, req, "created_at", (*siteRow).position, (*siteRow).site)
}

// Site gives one site, or NOT_FOUND.
func (s *Store) Site(ctx context.Context, env busbar.Environment, id busbar.SiteID) (busbar.Site, error) {
	return takeSite(s.read.WithContext(ctx), env, id)
}

func takeSite(db *gorm.DB, env busbar.Environment, id busbar.SiteID) (busbar.Site, error) {
	var row siteRow
	if err := db.Where("environment = ? AND id = ?", string(env), string(id)).Take(&row).Error; err != nil {
		return busbar.Site{}, notFound(err, "site", string(id))
	}
	return row.site()
}

// CreateSite adds a site. An id that is taken is a CONFLICT. Numbers of events go on after those of a deleted site of the
// same id.
func (tx *Tx) CreateSite(site *busbar.Site) error {
	// events_by_seq
	err := tx.db.Raw("SELECT COALESCE(MAX(seq), 0) FROM events WHERE environment = ? AND site_id = ? AND seq > 0",
		string(site.Environment), string(site.ID)).Scan(&site.Seq).Error
	if err != nil {
		return fmt.Errorf("find events of an earlier site: %w", err)
	}
	row := newSiteRow(site)
	return created(tx.db.Create(&row).Error, "site", row.ID)
}

// created makes a CONFLICT of an id that is taken.
func created(err error, kind, id string) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return busbar.Errorf(busbar.CodeConflict, "there is a %s with the id %q already", kind, id)
	}
	if err != nil {
		return fmt.Errorf("insert %s: %w", kind, err)
	}
	return nil
}

// UpdateSite changes a site and returns it as it then is. Decisions see it before or after, never in between.
func (s *Store) UpdateSite(ctx context.Context, env busbar.Environment, id busbar.SiteID, change func(*busbar.Site) error) (busbar.Site, error) {
	var site busbar.Site
	err := s.saveDevices(ctx, env, func(db *gorm.DB) error {
		was, err := takeSite(db, env, id)
		if err != nil {
			return err
		}
		site = was
		if err := change(&site); err != nil {
			return err
		}
		// A rule can read the time zone, so this is a change of the site's history.
		site.ID, site.Environment, site.CreatedAt, site.UpdatedAt, site.Seq = was.ID, was.Environment, was.CreatedAt, s.now(), was.Seq+1
		row := newSiteRow(&site)
		if err := db.Save(&row).Error; err != nil {
			return fmt.Errorf("save site: %w", err)
		}
		return nil
	})
	return site, err
}

// DeleteSite removes a site, and where rules stand with it; one that has devices is a CONFLICT.
func (s *Store) DeleteSite(ctx context.Context, env busbar.Environment, id busbar.SiteID) error {
	// A stop of the site ends with it, which is a change of what decisions read.
	return s.saveEndpoints(ctx, env, func(db *gorm.DB) error {
		if _, err := takeSite(db, env, id); err != nil {
			return err
		}
		var devices int64
		// devices_by_site
		err := db.Model(&deviceRow{}).Where("environment = ? AND site_id = ?", string(env), string(id)).Count(&devices).Error
		if err != nil {
			return fmt.Errorf("count devices: %w", err)
		}
		if devices > 0 {
			return busbar.Errorf(busbar.CodeConflict, "the site has %d devices; delete them or move them to another site first", devices)
		}
		if err := db.Where("environment = ? AND id = ?", string(env), string(id)).Delete(&siteRow{}).Error; err != nil {
			return fmt.Errorf("delete site: %w", err)
		}
		if err := endStop(db, env, id); err != nil {
			return err
		}
		return s.forgetKey(db, env, rules.SiteKey(id))
	})
}

// saveDevices runs a transaction that changes sites or devices of an environment. It waits for decisions that are under way
// there and keeps new ones out until it has committed.
func (s *Store) saveDevices(ctx context.Context, env busbar.Environment, fn func(db *gorm.DB) error) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		if err := s.excludeDecisions(db, env); err != nil {
			return err
		}
		return fn(db)
	})
}

// MissingSites gives those of these ids that no site has.
func (s *Store) MissingSites(ctx context.Context, env busbar.Environment, ids []string) ([]string, error) {
	missing := slices.Clone(ids)
	for part := range slices.Chunk(ids, insertBatch) {
		var have []string
		// The primary key of sites.
		err := s.read.WithContext(ctx).Model(&siteRow{}).Where("environment = ? AND id IN ?", string(env), part).Pluck("id", &have).Error
		if err != nil {
			return nil, fmt.Errorf("look for sites: %w", translate(err))
		}
		missing = slices.DeleteFunc(missing, func(id string) bool { return slices.Contains(have, id) })
	}
	return missing, nil
}
