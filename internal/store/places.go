package store

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// Fresh is a delivery that is to be claimed, with the limit of its endpoint.
type Fresh struct {
	DeliveryID busbar.DeliveryID
	EndpointID busbar.EndpointID
	// MaxInFlight is how many deliveries the endpoint may be getting at once; zero is no limit.
	MaxInFlight int
}

// placeLock is the first half of the advisory locks under which the places of an endpoint are counted; the second half is
// made of its id. Two endpoints that share one only wait for each other.
const placeLock = 0x62757370

// lockPlaces keeps others from taking places at these endpoints until the transaction ends. One process counts them in
// memory, and has no need of it.
func (s *Store) lockPlaces(tx *gorm.DB, list []Fresh) error {
	if s.Embedded() {
		return nil
	}
	keys := make([]int32, 0, len(list))
	for _, f := range list {
		if f.MaxInFlight > 0 {
			keys = append(keys, placeKey(f.EndpointID))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	// One order for all, so that two transactions never wait for each other.
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if err := tx.Exec("SELECT pg_advisory_xact_lock(?, ?)", placeLock, key).Error; err != nil {
			return fmt.Errorf("wait for places at endpoints: %w", err)
		}
	}
	return nil
}

func placeKey(id busbar.EndpointID) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int32(h.Sum32()) //nolint:gosec // any number will do
}

// withPlace gives those deliveries for which their endpoints have a place left. Call it under lockPlaces.
func (s *Store) withPlace(tx *gorm.DB, list []Fresh, now time.Time) ([]Fresh, error) {
	if s.Embedded() || !slices.ContainsFunc(list, func(f Fresh) bool { return f.MaxInFlight > 0 }) {
		return list, nil
	}
	endpoints, ids := make([]string, len(list)), make([]busbar.DeliveryID, len(list))
	for i, f := range list {
		endpoints[i], ids[i] = string(f.EndpointID), f.DeliveryID
	}
	var counts []struct {
		EndpointID string
		Taken      int
	}
	// deliveries_claimed. What one holds already needs no other place.
	err := tx.Raw(`SELECT endpoint_id, count(*) AS taken FROM deliveries
		WHERE endpoint_id IN ? AND claim_until > 0 AND claim_until > ? AND id NOT IN ? GROUP BY endpoint_id`,
		endpoints, micros(now), deliveryIDs(ids)).Scan(&counts).Error
	if err != nil {
		return nil, fmt.Errorf("count deliveries in flight: %w", err)
	}
	taken := make(map[busbar.EndpointID]int, len(counts))
	for _, c := range counts {
		taken[busbar.EndpointID(c.EndpointID)] = c.Taken
	}
	free := make([]Fresh, 0, len(list))
	for _, f := range list {
		if f.MaxInFlight > 0 && taken[f.EndpointID] >= f.MaxInFlight {
			continue
		}
		taken[f.EndpointID]++
		free = append(free, f)
	}
	return free, nil
}
