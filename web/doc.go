// Package web is the HTTP side: the server, the API's routes on Echo, health, metrics and the landing page. Nothing
// below it knows Echo.
package web
