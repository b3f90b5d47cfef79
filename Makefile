# `make` lists the targets. Everything that they build or fetch lands in bin/, dist/ and .cache/, which git ignores.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# What a released binary is made with; -trimpath keeps the builder's paths out of it.
RELEASE := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Everything in one process: server, API, workers
	go run ./cmd/busbar dev

.PHONY: build
build: ## Build bin/busbar for this machine
	go build -ldflags '-X main.version=$(VERSION)' -o bin/busbar ./cmd/busbar

.PHONY: test
test: ## Install what the tests need (Debian), then run all of them
	.ci/install-debian
	.ci/test

.PHONY: lint
lint: ## Fetch the pinned linters, then check the code, go.mod and the workflows' determinism
	.ci/lint

.PHONY: fmt
fmt: ## Format the code as the linter wants it
	"$$(.ci/tool golangci-lint)" fmt

.PHONY: bench
bench: ## Measure this machine with the project's own load generator (docs/benchmarks.md)
	go build -o bin/busbar ./cmd/busbar
	bin/busbar bench $(ARGS)

.PHONY: generate
generate: ## Write the generated code again
	go generate ./...

.PHONY: assets
assets: ## Fetch what the dashboard's pages load from others, as web/assets/package-lock.json has it (needs Node)
	web/assets/vendor.sh

.PHONY: dist
dist: ## Build the static binaries for a release, with and without the embedded Temporal server
	mkdir -p dist
	for arch in amd64 arm64; do \
		echo "dist/busbar-linux-$$arch"; \
		GOOS=linux GOARCH=$$arch $(RELEASE) -o dist/busbar-linux-$$arch ./cmd/busbar; \
		echo "dist/busbar-lean-linux-$$arch"; \
		GOOS=linux GOARCH=$$arch $(RELEASE) -tags lean -o dist/busbar-lean-linux-$$arch ./cmd/busbar; \
	done
	cd dist && sha256sum busbar-* > SHA256SUMS

.PHONY: clean
clean: ## Remove what was built (not .busbar, the data of `make run`)
	rm -rf bin dist .cache
