package busbar

import (
	"strings"
	"time"
)

// Listener is a temporary endpoint whose deliveries are fetched by a program that cannot be dialled: `busbar listen`.
type Listener struct {
	EndpointID  EndpointID
	Environment Environment
	// APIKeyID is the key that made the listener and the only one that may act for it.
	APIKeyID  KeyID
	CreatedAt time.Time
	// SeenAt is when its program last asked for requests, to within some seconds.
	SeenAt time.Time
}

// ListenerTimeout is how long the program of a listener may be away before its endpoint is deleted.
const ListenerTimeout = 5 * time.Minute

// ListenerRequest is one signed attempt on its way to a listener's program.
type ListenerRequest struct {
	// ID names the delivery and the attempt: an attempt that is begun twice is one request.
	ID         string
	EndpointID EndpointID
	DeliveryID DeliveryID
	// ExpiresAt is when the attempt ends, answered or not.
	ExpiresAt time.Time
	// Content is the request itself. It is kept sealed.
	Content []byte
}

// listenerScheme marks the URL of a listener's endpoint. No user may give such a URL: it is neither http nor https.
const listenerScheme = "listener://"

// ListenerURL is the URL of a listener's endpoint, which no client can dial.
func ListenerURL(id EndpointID) string { return listenerScheme + string(id) }

// ListenerOf tells from an endpoint's URL whether its deliveries are fetched by a listener.
func ListenerOf(url string) (EndpointID, bool) {
	id, ok := strings.CutPrefix(url, listenerScheme)
	return EndpointID(id), ok
}
