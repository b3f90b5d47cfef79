import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class Verify {
    private static final long TOLERANCE = 300; // seconds

    private Verify() {}

    /**
     * Throws SecurityException unless the body was signed with the secret within the last five minutes.
     *
     * @param headers names in lower case
     * @param body the raw body, as it came
     */
    public static void verify(String secret, Map<String, String> headers, byte[] body, Instant now)
            throws GeneralSecurityException {
        String id = headers.getOrDefault("webhook-id", "");
        String timestamp = headers.getOrDefault("webhook-timestamp", "");
        String signatures = headers.getOrDefault("webhook-signature", "");
        if (id.isEmpty() || timestamp.isEmpty() || signatures.isEmpty()) {
            throw new SecurityException("a webhook header is missing");
        }
        if (!timestamp.matches("\\d{1,18}")
                || Math.abs(now.getEpochSecond() - Long.parseLong(timestamp)) > TOLERANCE) {
            throw new SecurityException("the timestamp is too old or too new");
        }
        byte[] key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
        byte[] expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body)))
                .getBytes(StandardCharsets.UTF_8);
        for (String entry : signatures.split(" ")) {
            if (MessageDigest.isEqual(entry.getBytes(StandardCharsets.UTF_8), expected)) {
                return;
            }
        }
        throw new SecurityException("no signature matches");
    }
}
