package api

import (
	"net/http"

	"busbar"
)

func siteRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/sites", Group: groupSites, Summary: "Create a site: a home with a clock of its own",
			Scopes: writeDevices(), Body: SiteBody{}, Creates: true, Answer: Site{}, Status: http.StatusCreated,
			Codes:   with(bodyCodes(), busbar.CodeConflict),
			Example: `{"name":"Home","timezone":"Europe/Berlin","latitude":52.52,"longitude":13.405}`, Handle: once((*API).createSite),
		},
		{
			Method: http.MethodGet, Path: "/v1/sites", Group: groupSites, Summary: "List sites, newest first", Scopes: readDevices(),
			Query: paging(), Answer: List[Site]{}, Status: http.StatusOK, Handle: (*API).listSites,
		},
		{
			Method: http.MethodGet, Path: "/v1/sites/{id}", Group: groupSites, Summary: "One site", Scopes: readDevices(),
			Answer: Site{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getSite,
		},
		{
			Method: http.MethodPatch, Path: "/v1/sites/{id}", Group: groupSites, Summary: "Change a site; absent fields stay, null forgets the place",
			Scopes: writeDevices(), Body: SiteBody{}, Answer: Site{}, Status: http.StatusOK, Codes: with(bodyCodes(), busbar.CodeNotFound),
			Example: `{"name":"Home in the hills"}`, Handle: (*API).updateSite,
		},
		{
			Method: http.MethodDelete, Path: "/v1/sites/{id}", Group: groupSites, Summary: "Delete a site that has no devices",
			Scopes: writeDevices(), Answer: Deleted{}, Status: http.StatusOK, Codes: with(notFoundCodes(), busbar.CodeConflict), Handle: (*API).deleteSite,
		},
	}
}
