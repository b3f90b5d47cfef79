package dashboard

import (
	"net/http"
	"slices"

	"busbar"
)

// Route is one method of one path.
type Route struct {
	Method string
	// Path has its parameters in braces.
	Path string
	// role is what a person needs; without one, nobody needs to be signed in.
	role   busbar.Role
	handle func(*request) error
}

// Routes lists every route of the dashboard. Paths with {env} are about one environment.
func (d *Dashboard) Routes() []Route {
	routes := slices.Concat(
		signInRoutes(), accountRoutes(), overviewRoutes(), eventRoutes(), deliveryRoutes(), endpointRoutes(), jobRoutes(), eventTypeRoutes(),
		siteRoutes(), deviceRoutes(), deviceFormRoutes(), pushRoutes(), keyRoutes(), userRoutes(), auditRoutes(), aboutRoutes(),
		ruleRoutes(), ruleEditorRoutes(), backtestRoutes(), runRoutes(), automationRoutes(),
	)
	if d.cfg.Gallery {
		routes = append(routes, Route{http.MethodGet, "/gallery", busbar.RoleViewer, showGallery})
	}
	return routes
}

func get(path string, role busbar.Role, handle func(*request) error) Route {
	return Route{http.MethodGet, path, role, handle}
}

func post(path string, role busbar.Role, handle func(*request) error) Route {
	return Route{http.MethodPost, path, role, handle}
}
