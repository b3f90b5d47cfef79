package store

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// StopAutomation stops the rules of an environment, or of one of its sites, and of a site that is not there gives NOT_FOUND. Who
// stopped them first stays on record.
func (s *Store) StopAutomation(ctx context.Context, stop *busbar.AutomationStop) error {
	return s.saveEndpoints(ctx, stop.Environment, func(db *gorm.DB) error {
		if stop.SiteID != "" {
			if _, err := takeSite(db, stop.Environment, stop.SiteID); err != nil {
				return err
			}
		}
		row := stopRow{string(stop.Environment), string(stop.SiteID), stop.By, micros(stop.At)}
		return wrap(db.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error, "stop automation")
	})
}

// ResumeAutomation ends a stop: that of the environment when there is no site, and then those of its sites stay. One that is not
// there is ended already.
func (s *Store) ResumeAutomation(ctx context.Context, env busbar.Environment, site busbar.SiteID) error {
	return s.saveEndpoints(ctx, env, func(db *gorm.DB) error { return endStop(db, env, site) })
}

func endStop(db *gorm.DB, env busbar.Environment, site busbar.SiteID) error {
	err := db.Where("environment = ? AND site_id = ?", string(env), string(site)).Delete(&stopRow{}).Error
	return wrap(err, "end a stop of automation")
}
