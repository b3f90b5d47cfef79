// Package embedded runs a Temporal server and its web UI inside the process. It is the only importer of both; a build
// with the tag lean leaves them out.
package embedded
