use super::keys::{ED25519, labelled};
use super::list::List;
use super::structures::*;
use crate::possession::random;
use crate::{Failure, Outcome, to_text};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

const DAY: u64 = 86_400;
const CERTIFICATE_LASTS: u64 = 365 * DAY;
const HEAD_LASTS: u64 = 14 * DAY;
/// For readers whose clocks are behind.
const BEFORE_NOW: u64 = 3_600;

/// Who signs entries and heads: its number in the list, and its key.
pub struct Author<'a> {
    pub number: u32,
    pub sign: &'a dyn Fn(&[u8]) -> Outcome<Vec<u8>>,
}

/// What goes to the server with a change, and the list with it.
pub struct Update {
    pub list: List,
    pub entries: Vec<Vec<u8>>,
    pub head: Vec<u8>,
}

impl Update {
    pub fn to_json(&self) -> Value {
        json!({"entries": self.entries.iter().map(|entry| to_text(entry)).collect::<Vec<_>>(), "head": to_text(&self.head)})
    }
}

/// The device whose certificate is made, as its public half.
pub struct Holder<'a> {
    pub client: &'a str,
    pub keys: Vec<CertifiedKey>,
}

/// Entries 1 and 2: a new identity, whose key is gone then, and the certificate of its first device with all rights.
pub fn begin(user: &str, own: &Own, now: u64) -> Outcome<Update> {
    let key = SigningKey::from_bytes(&random());
    let sign = |content: &[u8]| Ok(key.sign(content).to_bytes().to_vec());
    let root = Author { number: 1, sign: &sign };
    let mut list = List::new(user);
    let public_key = key.verifying_key().to_bytes().to_vec();
    let first = append(&mut list, Body::Identity { scheme: ED25519, public_key }, &root, now)?;
    let holder = Holder { client: own.client, keys: vec![own.possess(&list.identity())?] };
    let second = append(&mut list, certificate(holder, ALL_RIGHTS, now), &root, now)?;
    let head = head(&list, &Author { number: 2, sign: own.sign }, 0, now)?;
    Ok(Update { list, entries: vec![first, second], head })
}

/// The certificate of a device of the same user, by `author`, a device with the right to enrol it.
pub fn certify(list: &List, holder: Holder, author: &Author, now: u64) -> Outcome<Update> {
    let rights = list.at(author.number).map_or(ALL_RIGHTS, |own| own.certificate.rights);
    change(list, certificate(holder, rights, now), author, now)
}

/// The end of a certificate.
pub fn revoke(list: &List, revoked: u32, author: &Author, now: u64) -> Outcome<Update> {
    change(list, Body::Revocation { revoked, since: 0 }, author, now)
}

fn change(list: &List, body: Body, author: &Author, now: u64) -> Outcome<Update> {
    let mut list = list.clone();
    let entry = append(&mut list, body, author, now)?;
    let head = head(&list, author, 0, now)?;
    Ok(Update { list, entries: vec![entry], head })
}

/// A dated statement that this is the whole list. `issued_before`: when a head of the same entries was.
pub fn head(list: &List, author: &Author, issued_before: u64, now: u64) -> Outcome<Vec<u8>> {
    let issued_at = now.max(list.last_time()).max(issued_before + 1);
    let content = HeadContent {
        user: list.user.clone(),
        number: list.number(),
        hash: list.hash_at(list.number()).unwrap_or_default(),
        issued_at,
        expires_at: issued_at + HEAD_LASTS,
        signer: author.number,
    };
    let tbs = content.encode();
    let signature = (author.sign)(&labelled(HEAD_LABEL, &tbs))?;
    Ok(Head { content, tbs, signature }.encode())
}

fn certificate(Holder { client, keys }: Holder, rights: u8, now: u64) -> Body {
    let (not_before, not_after) = (now - BEFORE_NOW, now - BEFORE_NOW + CERTIFICATE_LASTS);
    Body::Certificate(Certificate { kind: HolderKind::Device, subject: client.into(), keys, rights, not_before, not_after })
}

/// What is signed is read as others will read it.
fn append(list: &mut List, body: Body, author: &Author, now: u64) -> Outcome<Vec<u8>> {
    let content = EntryContent {
        user: list.user.clone(),
        number: list.number() + 1,
        previous: list.hash_at(list.number()).unwrap_or_default(),
        time: now.max(list.last_time()),
        signer: author.number,
        body,
    };
    let tbs = content.encode();
    let signature = (author.sign)(&labelled(ENTRY_LABEL, &tbs))?;
    let bytes = Entry { content, tbs, signature }.encode();
    list.extend([bytes.as_slice()], now).map_err(|rule| Failure::new("identity", format!("own entry: {rule}")))?;
    Ok(bytes)
}

/// The keys of the device that this is.
pub struct Own<'a> {
    pub client: &'a str,
    pub scheme: u16,
    pub public_key: Vec<u8>,
    /// Signs a whole SignContent.
    pub sign: &'a dyn Fn(&[u8]) -> Outcome<Vec<u8>>,
}

impl Own<'_> {
    /// The proof that this device holds its key, for whom certifies it.
    pub fn possess(&self, identity: &[u8]) -> Outcome<CertifiedKey> {
        let content = possession(identity, HolderKind::Device, self.client.as_bytes());
        let possession = (self.sign)(&labelled(POSSESSION_LABEL, &content))?;
        Ok(CertifiedKey { scheme: self.scheme, public_key: self.public_key.clone(), possession })
    }
}
