<?php

const TOLERANCE = 300; // seconds

/**
 * Throws unless the body was signed with the secret within the last five minutes.
 *
 * $headers has names in lower case; $body is file_get_contents('php://input').
 */
function verify(string $secret, array $headers, string $body, ?int $now = null): void
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    $signatures = $headers['webhook-signature'] ?? '';
    if ($id === '' || $timestamp === '' || $signatures === '') {
        throw new RuntimeException('a webhook header is missing');
    }
    if (!ctype_digit($timestamp) || abs(($now ?? time()) - (int) $timestamp) > TOLERANCE) {
        throw new RuntimeException('the timestamp is too old or too new');
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $expected = base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $entry) {
        [$version, $signature] = explode(',', $entry, 2) + ['', ''];
        if ($version === 'v1' && hash_equals($expected, $signature)) {
            return;
        }
    }
    throw new RuntimeException('no signature matches');
}
