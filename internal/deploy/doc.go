// Package deploy checks that the Dockerfile and docker-compose.yml at the top of the repository fit together and fit the
// program. It has tests only: a container engine is not needed to run them.
package deploy
