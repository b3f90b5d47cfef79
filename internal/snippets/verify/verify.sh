#!/usr/bin/env bash
# Verifies a webhook whose body is on standard input:
#   verify.sh ID TIMESTAMP SIGNATURES < body      with the secret, whsec_…, in WEBHOOK_SECRET
# It ends with 0 when the body was signed with the secret within the last five minutes, and with 1 when not. A process's
# arguments can be read by others on its machine, so this is for looking into a webhook, not for a server.
set -euo pipefail
id=$1 timestamp=$2 signatures=$3

now=${NOW:-$(date +%s)}
if [[ ! $timestamp =~ ^[1-9][0-9]{0,11}$ ]] || ((now - timestamp > 300 || timestamp - now > 300)); then
    echo "the timestamp is too old or too new" >&2
    exit 1
fi

key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
expected=$({
    printf '%s.%s.' "$id" "$timestamp"
    cat
} | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)

for entry in $signatures; do
    if [ "$entry" = "v1,$expected" ]; then
        exit 0
    fi
done
echo "no signature matches" >&2
exit 1
