#!/usr/bin/env bash
# Fetches what package-lock.json names, by its hashes, and keeps the files that the dashboard and its tests use. What it
# writes is committed, so that neither building nor running Busbar needs Node.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json "$work"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
modules=$work/node_modules
tests=../testdata
rm -rf vendor
mkdir -p vendor "$tests"
# One file: htmx starts in a task of its own after its script, and an extension whose script comes later than that is not
# asked about the page any more.
cat "$modules/htmx.org/dist/htmx.min.js" <(echo) "$modules/htmx.org/dist/ext/hx-sse.min.js" > vendor/htmx.js
cp "$modules/htmx.org/LICENSE" vendor/htmx.LICENSE
cp "$modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" vendor/inter.woff2
cp "$modules/@fontsource-variable/inter/LICENSE" vendor/inter.LICENSE
cp "$modules/axe-core/axe.min.js" "$tests/axe.min.js"
cp "$modules/axe-core/LICENSE" "$tests/axe.LICENSE"
# Maps are not kept; a browser's tools would ask for them in vain.
sed -i '/^\/\/# sourceMappingURL=/d' vendor/*.js
chmod 0644 vendor/* "$tests"/axe.*
