// Package web is the HTTP side: the server, the API's routes on Echo, the dashboard's pages, health and metrics. Nothing
// below it knows Echo.
package web
