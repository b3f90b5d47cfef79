#!/usr/bin/env bash
# Sends a signed webhook, as Busbar would, to try a receiver:
#   sign.sh URL < body      with the secret, whsec_…, in WEBHOOK_SECRET
set -euo pipefail
url=$1
body=$(mktemp)
trap 'rm -f "$body"' EXIT
cat >"$body"

id=evt_try timestamp=$(date +%s)
key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
signature=$({
    printf '%s.%s.' "$id" "$timestamp"
    cat "$body"
} | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)

curl --fail-with-body -sS "$url" --data-binary "@$body" \
    -H "content-type: application/json" -H "webhook-id: $id" -H "webhook-timestamp: $timestamp" \
    -H "webhook-signature: v1,$signature"
