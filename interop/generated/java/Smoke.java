import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.EdECPrivateKeySpec;
import java.security.spec.NamedParameterSpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.AccountsApi;
import org.openapitools.client.api.DeliveryApi;
import org.openapitools.client.api.KeyPackagesApi;
import org.openapitools.client.api.SessionsApi;
import org.openapitools.client.model.ChallengeRequest;
import org.openapitools.client.model.ClaimKeyPackages;
import org.openapitools.client.model.NewSignatureKey;
import org.openapitools.client.model.OpenSession;
import org.openapitools.client.model.RegisterAccount;
import org.openapitools.client.model.UploadKeyPackages;

/**
 * Registers two users, logs in, publishes and claims a KeyPackage and polls, all by the generated client.
 *
 * <p>Takes the server's URL, a KeyPackage, and the seed and public key of the Ed25519 key that it was made with, all but the URL base64url. The
 * JDK cannot derive a public key from a seed.
 */
final class Smoke {
  private static final int ED25519 = 0x0807;
  private static final int SUITE = 1;

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0];
    String keyPackage = arguments[1];
    PrivateKey given = KeyFactory.getInstance("Ed25519")
        .generatePrivate(new EdECPrivateKeySpec(NamedParameterSpec.ED25519, decoded(arguments[2])));
    Device alice = new Device(url, "java-alice", given, arguments[3]);
    alice.register();
    expectStatus(409, alice::register);
    ApiClient aliceSession = alice.logIn();
    Device carol = Device.fresh(url, "java-carol");
    carol.register();
    ApiClient carolSession = carol.logIn();

    var stored = new KeyPackagesApi(aliceSession).uploadKeyPackages(new UploadKeyPackages().keyPackages(List.of(keyPackage)));
    check(stored.getStored().size() == 1, stored);
    var claim = new ClaimKeyPackages().user(alice.user).cipherSuites(List.of(SUITE));
    var claimed = new KeyPackagesApi(carolSession).claimKeyPackages(claim);
    check(claimed.getKeyPackages().size() == 1 && claimed.getKeyPackages().get(0).getKeyPackage().equals(keyPackage), claimed);

    var events = new DeliveryApi(aliceSession).pollEvents(0, null);
    check(events.getInbox().size() == 1 && events.getEntries().isEmpty() && !events.getMore(), events);
    var item = events.getInbox().get(0).getKeyPackagesLowItem();
    check(item.getRemaining() == 0, item);
    expectStatus(401, () -> new DeliveryApi(client(url, "wrong")).pollEvents(0, null));
  }

  private static final class Device {
    final String url;
    final String user;
    final String client;
    final PrivateKey key;
    final String publicKey;

    Device(String url, String name, PrivateKey key, String publicKey) {
      this.url = url;
      this.user = "mimi://localhost/u/" + name;
      this.client = "mimi://localhost/d/" + name + "/generated";
      this.key = key;
      this.publicKey = publicKey;
    }

    static Device fresh(String url, String name) throws Exception {
      var pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
      // The last 32 bytes of a SubjectPublicKeyInfo (RFC 8410 §4).
      byte[] info = pair.getPublic().getEncoded();
      return new Device(url, name, pair.getPrivate(), encoded(Arrays.copyOfRange(info, info.length - 32, info.length)));
    }

    void register() throws Exception {
      String nonce = challenge();
      var signatureKey = new NewSignatureKey().scheme(NewSignatureKey.SchemeEnum.fromValue(ED25519)).publicKey(publicKey).proof(proof);
      var account = new RegisterAccount().user(user).client(client).nonce(nonce).signatureKeys(List.of(signatureKey));
      new AccountsApi(client(url, null)).registerAccount(account, null);
    }

    ApiClient logIn() throws Exception {
      String nonce = challenge();
      var opened = new OpenSession().client(client).nonce(nonce).publicKey(publicKey).proof(proof);
      return client(url, new SessionsApi(client(url, null)).logIn(opened, null).getAccessToken());
    }

    private String proof;

    /** Returns a nonce, and keeps SignWithLabel (RFC 9420 §5.1.2) over it as the proof. */
    private String challenge() throws Exception {
      var challenge = new SessionsApi(client(url, null)).createChallenge(new ChallengeRequest().client(client));
      byte[] expiry = ByteBuffer.allocate(8).putLong(challenge.getExpiresAt()).array();
      byte[] content = joined(
          opaque(bytes(challenge.getDomain())), opaque(bytes(client)), opaque(decoded(challenge.getNonce())), expiry);
      Signature signature = Signature.getInstance("Ed25519");
      signature.initSign(key);
      signature.update(joined(opaque(bytes("MLS 1.0 MicroChat Device Login")), opaque(content)));
      proof = encoded(signature.sign());
      return challenge.getNonce();
    }
  }

  private static ApiClient client(String url, String token) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    if (token != null) client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    return client;
  }

  private interface Call {
    void run() throws Exception;
  }

  private static void expectStatus(int status, Call call) throws Exception {
    try {
      call.run();
    } catch (ApiException refused) {
      check(refused.getCode() == status, refused.getResponseBody());
      return;
    }
    throw new AssertionError(status + " was expected, and the call succeeded");
  }

  private static void check(boolean holds, Object answer) {
    if (!holds) throw new AssertionError("not what was expected: " + answer);
  }

  /** `opaque<V>` of RFC 9420 §2.1.2, of up to 16383 bytes. */
  private static byte[] opaque(byte[] data) {
    byte[] header = data.length < 64
        ? new byte[] {(byte) data.length}
        : new byte[] {(byte) (0x40 | data.length >> 8), (byte) data.length};
    return joined(header, data);
  }

  private static byte[] joined(byte[]... parts) {
    ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(part -> part.length).sum());
    for (byte[] part : parts) all.put(part);
    return all.array();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String encoded(byte[] data) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(data);
  }

  private static byte[] decoded(String text) {
    return Base64.getUrlDecoder().decode(text);
  }
}
