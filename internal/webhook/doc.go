// Package webhook sends one signed request to an address that may be dialled, and says when to try again.
package webhook
