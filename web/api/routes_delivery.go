package api

import (
	"net/http"
	"slices"

	"busbar"
)

func deliveryRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/deliveries", Group: groupDeliveries, Summary: "List deliveries, newest first", Scopes: readEndpoints(),
			Query: slices.Concat([]Param{
				{"endpointId", "", "ep_01980f3ae2b57c3f8d1c5b0a9e7f6d21"},
				{"eventId", "", "evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21"},
				{"status", "pending, delivered, failed, parked or cancelled.", "failed"},
				{"type", "Of the event: a name, or the beginning of names and a star.", "push.*"},
			}, period(), paging()),
			Answer: List[Delivery]{}, Status: http.StatusOK, Handle: (*API).listDeliveries,
		},
		{
			Method: http.MethodGet, Path: "/v1/deliveries/{id}", Group: groupDeliveries, Summary: "One delivery with its attempts", Scopes: readEndpoints(),
			Answer: DeliveryDetail{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getDelivery,
		},
		{
			Method: http.MethodPost, Path: "/v1/deliveries/{id}/retry", Group: groupDeliveries, Summary: "Send it now; if that fails, the schedule goes on where it was",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Delivery{}, Status: http.StatusAccepted,
			Codes: with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict), Handle: (*API).retryDelivery,
		},
		{
			Method: http.MethodPost, Path: "/v1/deliveries/{id}/cancel", Group: groupDeliveries, Summary: "Do not send it any more",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Delivery{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict), Handle: (*API).cancelDelivery,
		},
	}
}
