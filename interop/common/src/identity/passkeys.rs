use super::keys::{labelled, verifies_plainly};
use crate::tls::Reader;
use crate::to_text;
use sha2::{Digest, Sha256};

const USER_PRESENT_AND_VERIFIED: u8 = 0x05;

/// A PasskeySignature (docs/identity.md §2) where another key's would be one over `label` and `content`.
pub fn passkey_verifies(scheme: u16, public_key: &[u8], rp_id: &[u8], label: &str, content: &[u8], signature: &[u8]) -> bool {
    let signed = || {
        let mut reader = Reader(signature);
        let (data, client_data, signature) = (reader.opaque()?, reader.opaque()?, reader.opaque()?);
        let about_us = data.get(..32)? == Sha256::digest(rp_id).as_slice();
        let flags = *data.get(32)?;
        let whole = reader.is_empty() && data.len() >= 37;
        let fits = whole && about_us && flags & USER_PRESENT_AND_VERIFIED == USER_PRESENT_AND_VERIFIED;
        let asked = is_about(client_data, rp_id, &Sha256::digest(labelled(label, content)));
        let signed = [data, Sha256::digest(client_data).as_slice()].concat();
        (fits && asked && verifies_plainly(scheme, public_key, &signed, signature)).then_some(())
    };
    signed().is_some()
}

/// W3C Web Authentication Level 2 §5.8.1.1: the members come in this order, and others only behind the last of them.
fn is_about(client_data: &[u8], rp_id: &[u8], challenge: &[u8]) -> bool {
    let challenge = to_text(challenge);
    let begin = [format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"https://"#).as_bytes(), rp_id, b"\""].concat();
    let Some(rest) = client_data.strip_prefix(begin.as_slice()) else { return false };
    let more = rest.strip_prefix(br#","crossOrigin":false"#);
    rest == b"}" || more.is_some_and(|more| more == b"}" || more.starts_with(b","))
}
