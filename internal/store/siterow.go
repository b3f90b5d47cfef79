package store

import (
	"busbar"
)

// siteRow is a row of sites.
type siteRow struct {
	Environment string   `gorm:"column:environment;primaryKey"`
	ID          string   `gorm:"column:id;primaryKey"`
	Name        string   `gorm:"column:name"`
	Timezone    string   `gorm:"column:timezone"`
	Latitude    *float64 `gorm:"column:latitude"`
	Longitude   *float64 `gorm:"column:longitude"`
	Seq         int64    `gorm:"column:seq"`
	CreatedAt   int64    `gorm:"column:created_at"`
	UpdatedAt   int64    `gorm:"column:updated_at;autoUpdateTime:false"`
}

// TableName names the table for gorm.
func (siteRow) TableName() string { return "sites" }

func (r *siteRow) position() position { return position{r.CreatedAt, r.ID} }

func newSiteRow(s *busbar.Site) siteRow {
	return siteRow{
		Environment: string(s.Environment), ID: string(s.ID), Name: s.Name, Timezone: s.Timezone,
		Latitude: s.Latitude, Longitude: s.Longitude, Seq: s.Seq, CreatedAt: micros(s.CreatedAt), UpdatedAt: micros(s.UpdatedAt),
	}
}

func (r *siteRow) site() (busbar.Site, error) {
	return busbar.Site{
		Environment: busbar.Environment(r.Environment), ID: busbar.SiteID(r.ID), Name: r.Name, Timezone: r.Timezone,
		Latitude: r.Latitude, Longitude: r.Longitude, Seq: r.Seq, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}, nil
}
