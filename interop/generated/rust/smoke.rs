//! Registers two users, logs in, publishes and claims a KeyPackage and polls, all by the generated client.
//!
//! Takes the server's URL, the seed of an Ed25519 key and a KeyPackage that was made with it for the first client, both base64url.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use microchat_client::apis::Error;
use microchat_client::apis::accounts_api::{RegisterAccountError, register_account};
use microchat_client::apis::configuration::Configuration;
use microchat_client::apis::delivery_api::{PollEventsError, poll_events};
use microchat_client::apis::key_packages_api::{claim_key_packages, upload_key_packages};
use microchat_client::apis::sessions_api::{create_challenge, log_in};
use microchat_client::models::{
    ChallengeRequest, ClaimKeyPackages, EventsInboxInner, NewSignatureKey, OpenSession, RegisterAccount, Session, UploadKeyPackages,
};
use std::env::args;
use std::fs::File;
use std::io::Read;

const ED25519: i32 = 0x0807;
const SUITE: i32 = 1;

struct Device {
    user: String,
    client: String,
    key: SigningKey,
    anonymous: Configuration,
}

impl Device {
    fn new(url: &str, name: &str, seed: [u8; 32]) -> Self {
        Device {
            user: format!("mimi://localhost/u/{name}"),
            client: format!("mimi://localhost/d/{name}/generated"),
            key: SigningKey::from_bytes(&seed),
            anonymous: Configuration { base_path: url.into(), ..Configuration::default() },
        }
    }

    /// A nonce, and SignWithLabel (RFC 9420 §5.1.2) over it.
    fn prove(&self) -> (String, String) {
        let challenge = create_challenge(&self.anonymous, ChallengeRequest::new(self.client.clone())).expect("a challenge");
        let expiry = u64::try_from(challenge.expires_at).expect("a time").to_be_bytes();
        let login =
            [opaque(challenge.domain.as_bytes()), opaque(self.client.as_bytes()), opaque(&decoded(&challenge.nonce)), expiry.to_vec()];
        let content = [opaque(b"MLS 1.0 MicroChat Device Login"), opaque(&login.concat())].concat();
        (challenge.nonce, encoded(&self.key.sign(&content).to_bytes()))
    }

    fn public_key(&self) -> String {
        encoded(self.key.verifying_key().as_bytes())
    }

    fn register(&self) -> Result<Session, Error<RegisterAccountError>> {
        let (nonce, proof) = self.prove();
        let keys = vec![NewSignatureKey::new(ED25519, self.public_key(), proof)];
        register_account(&self.anonymous, RegisterAccount::new(self.user.clone(), self.client.clone(), nonce, keys), None)
    }

    fn log_in(&self) -> Configuration {
        let (nonce, proof) = self.prove();
        let session = log_in(&self.anonymous, OpenSession::new(self.client.clone(), nonce, self.public_key(), proof), None).expect("a session");
        self.bearer(session.access_token)
    }

    fn bearer(&self, token: String) -> Configuration {
        Configuration { bearer_access_token: Some(token), ..self.anonymous.clone() }
    }
}

fn main() {
    let arguments: Vec<String> = args().skip(1).collect();
    let [url, seed, key_package] = arguments.as_slice() else { panic!("usage: smoke URL SEED KEY_PACKAGE") };
    let alice = Device::new(url, "rust-alice", decoded(seed).try_into().expect("32 bytes"));
    let carol = Device::new(url, "rust-carol", random());
    alice.register().expect("an account");
    carol.register().expect("an account");
    let Err(Error::ResponseError(again)) = alice.register() else { panic!("registered twice") };
    assert_eq!(again.status.as_u16(), 409);
    assert!(matches!(again.entity, Some(RegisterAccountError::Status409(_))), "{}", again.content);
    let (alice_session, carol_session) = (alice.log_in(), carol.log_in());

    let upload = UploadKeyPackages { key_packages: Some(vec![key_package.clone()]), ..UploadKeyPackages::new() };
    assert_eq!(upload_key_packages(&alice_session, upload).expect("an upload").stored.len(), 1);
    let claimed = claim_key_packages(&carol_session, ClaimKeyPackages::new(alice.user.clone(), vec![SUITE])).expect("a claim");
    assert_eq!(claimed.key_packages.iter().map(|one| &one.key_package).collect::<Vec<_>>(), [key_package]);

    let events = poll_events(&alice_session, Some(0), None).expect("events");
    assert!(events.entries.is_empty() && !events.more);
    let [EventsInboxInner::KeyPackagesLowItem(low)] = events.inbox.as_slice() else { panic!("{:?}", events.inbox) };
    assert_eq!(low.remaining, 0);
    let Err(Error::ResponseError(stranger)) = poll_events(&alice.bearer("wrong".into()), Some(0), None) else { panic!("let in") };
    assert!(matches!(stranger.entity, Some(PollEventsError::Status401(_))), "{}", stranger.content);
}

/// `opaque<V>` of RFC 9420 §2.1.2, of up to 16383 bytes.
fn opaque(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a short value");
    let header = if length < 64 { vec![length as u8] } else { (0x4000 | length).to_be_bytes().to_vec() };
    [header, data.to_vec()].concat()
}

fn random() -> [u8; 32] {
    let mut seed = [0; 32];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut seed)).expect("randomness");
    seed
}

fn encoded(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(data)
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
