require "base64"
require "openssl"

TOLERANCE = 300 # seconds

# Raises unless the body was signed with the secret within the last five minutes.
# headers has names in lower case; body is the raw body: request.body.read.
def verify(secret, headers, body, now = Time.now)
  id, timestamp, signatures = headers.values_at("webhook-id", "webhook-timestamp", "webhook-signature")
  raise "a webhook header is missing" unless id && timestamp && signatures

  recent = timestamp.match?(/\A\d+\z/) && (now.to_i - timestamp.to_i).abs <= TOLERANCE
  raise "the timestamp is too old or too new" unless recent

  key = Base64.strict_decode64(secret.delete_prefix("whsec_"))
  digest = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)
  expected = Base64.strict_encode64(digest)
  matches = signatures.split(" ").any? do |entry|
    version, signature = entry.split(",", 2)
    version == "v1" && OpenSSL.secure_compare(signature.to_s, expected)
  end
  raise "no signature matches" unless matches
end
