package dashboard

import (
	"net/http"

	"busbar/web/dashboard/view"
)

// showGallery shows every component in every state.
func showGallery(q *request) error {
	return q.render(http.StatusOK, view.Gallery(q.frame("about", "Gallery"), q.now()))
}
