use super::keys::spelled;
use super::list::{Broken, Ended, Held, List, check};
use super::structures::{HolderKind, LeafCertificate};
use crate::tls::Reader;

/// LeafNode extension type `device_certificate`.
pub const LEAF_CERTIFICATE: u16 = 0xF1D0;
/// How long a certificate passes that its device has replaced.
const AFTER_REPLACEMENT: u64 = 7 * 86_400;

/// What a member sees of a leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    pub index: u32,
    /// The identity in its basic credential.
    pub client: String,
    pub signature_key: Vec<u8>,
    /// Data of the extension 0xF1D0.
    pub certificate: Option<Vec<u8>>,
}

/// The rules of docs/identity.md §4 for one leaf. `inside`: its group wants the certificate in the leaf. `now`: seconds since 1970.
pub fn judge_leaf(list: &List, leaf: &Leaf, scheme: u16, inside: bool, now: u64) -> Result<(), Broken> {
    let Some(extension) = &leaf.certificate else {
        let found = list.held.iter().any(|one| fits(one, leaf, scheme, now) && is_current(one, now));
        return check("device-certificate-missing", !inside && found);
    };
    let shown = LeafCertificate::decode(extension).ok_or("device-certificate")?;
    let number = shown.certificate.content.number;
    let known = |number, hash: &[u8]| list.hash_at(number).is_some_and(|kept| kept == hash);
    let of_list = shown.identity == list.identity() && known(number, &shown.certificate.hash());
    // Of a later state of the list nothing is known here.
    let same_state = shown.list_number > list.number() || known(shown.list_number, &shown.list_hash);
    check("device-certificate", of_list && same_state && shown.list_number >= number)?;
    let held = list.at(number).filter(|one| fits(one, leaf, scheme, now)).ok_or("device-certificate-leaf")?;
    check("device-certificate-current", is_current(held, now))
}

fn is_current(held: &Held, now: u64) -> bool {
    match held.ended {
        None => true,
        Some(Ended::Replaced { at }) => now <= at + AFTER_REPLACEMENT,
        Some(Ended::Revoked) => false,
    }
}

fn fits(held: &Held, leaf: &Leaf, scheme: u16, now: u64) -> bool {
    let Held { certificate, .. } = held;
    let wanted = spelled(scheme, &leaf.signature_key);
    let named = certificate.keys.iter().any(|key| key.scheme == scheme && key.public_key == wanted);
    certificate.kind == HolderKind::Device && certificate.subject == leaf.client.as_bytes() && named && held.is_valid_at(now)
}

/// The leaf of a KeyPackage in an MLSMessage (RFC 9420 §7.2, §10), read from its bytes: not every library shows the extensions in it.
pub fn leaf_in(key_package: &[u8]) -> Option<Leaf> {
    let mut reader = Reader(key_package);
    // Version and kind of the message; version and suite; init_key; encryption_key.
    reader.take(8)?;
    reader.opaque()?;
    reader.opaque()?;
    let signature_key = reader.opaque()?.to_vec();
    let basic = reader.u16()? == 1;
    let client = String::from_utf8(reader.opaque()?.to_vec()).ok().filter(|_| basic)?;
    for _capability in ["versions", "cipher suites", "extensions", "proposals", "credentials"] {
        reader.opaque()?;
    }
    let with_lifetime = reader.u8()? == 1;
    reader.take(16).filter(|_| with_lifetime)?;
    let (mut extensions, mut certificate) = (Reader(reader.opaque()?), None);
    while !extensions.is_empty() {
        let (kind, data) = (extensions.u16()?, extensions.opaque()?);
        certificate = certificate.or((kind == LEAF_CERTIFICATE).then(|| data.to_vec()));
    }
    Some(Leaf { index: 0, client, signature_key, certificate })
}
