use crate::http::Http;
use crate::identity::Contacts;
use crate::stack::{KeyPackageKind, Stack};
use crate::tls::opaque;
use crate::{Failure, Outcome, bytes_of, to_text};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The device's dealings with the Authentication Service and the KeyPackage directory.
pub struct Device<S: Stack> {
    pub stack: S,
    pub http: Http,
    pub user: String,
    pub client: String,
    pub(crate) scheme: u16,
    pub(crate) contacts: Contacts,
    pub(crate) kind: Identity,
}

/// How a device stands to docs/identity.md.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// It believes the server, as clients of the old kind do.
    None,
    /// It has a certificate, and its leaves carry it.
    Carried,
    /// It has a certificate in its user's list alone.
    Listed,
}

impl<S: Stack> Device<S> {
    pub fn new(base: &str, domain: &str, user: &str, device: &str, suite: u16, kind: Identity) -> Outcome<Self> {
        let client = format!("mimi://{domain}/d/{user}/{device}");
        let user = format!("mimi://{domain}/u/{user}");
        // TLS SignatureSchemes of the suites of RFC 9420 §17.1 that any of the stacks has.
        let scheme = match suite {
            1 | 3 => 0x0807,
            2 => 0x0403,
            7 => 0x0503,
            other => return Err(Failure::new("driver", format!("suite {other}"))),
        };
        let (stack, http) = (S::new(&client, suite)?, Http::new(base));
        Ok(Device { stack, http, user, client, scheme, contacts: Contacts::default(), kind })
    }

    pub fn register(&mut self) -> Outcome<Value> {
        let mut account = self.proofs("registration")?;
        account["user"] = json!(self.user);
        let list = if self.kind == Identity::None { None } else { Some(self.begin_identity()?) };
        if let Some(list) = &list {
            account["device_list"] = list.to_json();
        }
        let session = self.http.post("/v1/accounts", &account)?;
        self.http.keep(&session);
        list.map_or(Ok(()), |list| self.keep_own(list))?;
        Ok(Value::Null)
    }

    /// A challenge answered with the device's key, which another device of the account takes to `POST /v1/devices`.
    pub fn proofs(&mut self, purpose: &str) -> Outcome<Value> {
        let (nonce, proof) = self.prove(purpose)?;
        let key = json!({"scheme": self.scheme, "public_key": to_text(&self.stack.public_key()), "proof": proof});
        Ok(json!({"client": self.client, "nonce": nonce, "signature_keys": [key]}))
    }

    /// Registers another device of the account: by its certificate, or with one more proof where there is no device list (docs/identity.md §8).
    pub fn vouch(&mut self, proofs: &Value) -> Outcome<Value> {
        if self.kind != Identity::None {
            return self.certify_other(proofs);
        }
        let (nonce, mut content) = self.challenge("add-device")?;
        content.extend(opaque(&added_device(proofs)?));
        let proof = self.sign("MicroChat Step-Up add-device", &content)?;
        let key = self.stack.public_key();
        let field = format!("nonce={}, key={}, proof={}", item(&bytes_of(&nonce)?), item(&key), item(&proof));
        self.http.post_with("/v1/devices", proofs, Some(&field))
    }

    pub fn login(&mut self) -> Outcome<Value> {
        let (nonce, proof) = self.prove("login")?;
        let login = json!({"client": self.client, "nonce": nonce, "public_key": to_text(&self.stack.public_key()), "proof": proof});
        let session = self.http.post("/v1/auth/sessions", &login)?;
        self.http.keep(&session);
        if self.kind != Identity::None {
            self.look_at_own_list()?;
        }
        Ok(Value::Null)
    }

    /// @returns how many the server says it stored
    pub fn publish(&mut self, kind: KeyPackageKind, count: usize) -> Outcome<Value> {
        let made = (0..count).map(|_| Ok(to_text(&self.stack.key_package(kind)?))).collect::<Outcome<Vec<_>>>()?;
        let list = if kind == KeyPackageKind::LastResort { "last_resort" } else { "key_packages" };
        self.http.post("/v1/key-packages", &json!({ list: made }))
    }

    /// One KeyPackage of each device of these users, by client URI.
    pub fn claim(&mut self, users: &[String], suite: u16) -> Outcome<Vec<(String, Vec<u8>)>> {
        let mut claimed = Vec::new();
        for user in users {
            let answer = self.http.post("/v1/key-packages/claims", &json!({"user": user, "cipher_suites": [suite]}))?;
            for one in answer["key_packages"].as_array().into_iter().flatten() {
                claimed.push((one["client"].as_str().unwrap_or_default().into(), bytes_of(&one["key_package"])?));
            }
        }
        Ok(claimed)
    }

    /// Proof of possession of the device's key, with the nonce that it is over.
    fn prove(&mut self, purpose: &str) -> Outcome<(Value, String)> {
        let label = match purpose {
            "registration" => "MicroChat Registration",
            "new-device" => "MicroChat New Device",
            _ => "MicroChat Device Login",
        };
        let (nonce, content) = self.challenge(purpose)?;
        Ok((nonce, to_text(&self.sign(label, &content)?)))
    }

    /// A nonce, and what is signed with it: where, for which client, and until when.
    fn challenge(&mut self, purpose: &str) -> Outcome<(Value, Vec<u8>)> {
        let challenge = self.http.post("/v1/auth/challenges", &json!({"client": self.client, "purpose": purpose}))?;
        let expiry = challenge["expires_at"].as_u64().unwrap_or_default().to_be_bytes();
        let domain = challenge["domain"].as_str().unwrap_or_default();
        let nonce = bytes_of(&challenge["nonce"])?;
        let content = [opaque(domain.as_bytes()), opaque(self.client.as_bytes()), opaque(&nonce), expiry.to_vec()].concat();
        Ok((challenge["nonce"].clone(), content))
    }

    /// SignWithLabel of RFC 9420 §5.1.2.
    fn sign(&mut self, label: &str, content: &[u8]) -> Outcome<Vec<u8>> {
        self.stack.sign(&[opaque(format!("MLS 1.0 {label}").as_bytes()), opaque(content)].concat())
    }
}

/// A byte sequence of RFC 9651.
fn item(bytes: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(bytes))
}

/// The subject of `add-device`: SHA-256 over the client URI and the keys (docs/identity.md §8).
fn added_device(proofs: &Value) -> Outcome<Vec<u8>> {
    let mut keys = Vec::new();
    for key in proofs["signature_keys"].as_array().into_iter().flatten() {
        let scheme = u16::try_from(key["scheme"].as_u64().unwrap_or_default()).unwrap_or_default();
        keys.extend(scheme.to_be_bytes());
        keys.extend(opaque(&bytes_of(&key["public_key"])?));
    }
    let client = proofs["client"].as_str().unwrap_or_default();
    Ok(Sha256::digest([opaque(client.as_bytes()), opaque(&keys)].concat()).to_vec())
}
