use crate::tls::opaque;
use ed25519_dalek::Verifier;
use p256::ecdsa;

pub const ED25519: u16 = 0x0807;
pub const P256: u16 = 0x0403;
pub const P384: u16 = 0x0503;

const P521: u16 = 0x0603;
const ED448: u16 = 0x0808;

/// Whether signatures by keys of this TLS SignatureScheme are checked here. The page has one more, Ed448: no crate that the libraries use has it, nor
/// a suite that belongs to them.
pub fn is_checked(scheme: u16) -> bool {
    matches!(scheme, ED25519 | P256 | P384 | P521)
}

pub fn is_known(scheme: u16) -> bool {
    is_checked(scheme) || scheme == ED448
}

/// A key that can sign entries and heads.
pub fn signs_entries(scheme: u16) -> bool {
    scheme == ED25519 || scheme == P256
}

/// A public key on its curve, and not of small order; of ECDSA, an uncompressed point.
pub fn is_sound(scheme: u16, public_key: &[u8]) -> bool {
    match scheme {
        ED25519 => ed25519(public_key).is_some(),
        P256 => public_key.len() == 65 && p256(public_key).is_some(),
        P384 => public_key.len() == 97 && p384(public_key).is_some(),
        P521 => public_key.len() == 133 && p521(public_key).is_some(),
        ED448 => is_canonical_ed448(public_key),
        _ => false,
    }
}

/// RFC 8032 §5.2.2: y below the prime, and a sign. The points of small order are those with y 1, -1 and 0. Whether it is on the curve is not asked.
fn is_canonical_ed448(public_key: &[u8]) -> bool {
    let Some((sign, y)) = public_key.split_last() else { return false };
    // 2^448 - 2^224 - 1, the lowest byte first.
    let prime = |at: usize| if at == 28 { 0xfe } else { 0xff };
    let below = y.iter().enumerate().rev().find(|(at, byte)| **byte != prime(*at)).is_some_and(|(at, byte)| *byte < prime(at));
    let minus_one = y.first() == Some(&0xfe) && y.iter().enumerate().skip(1).all(|(at, byte)| *byte == prime(at));
    let small = minus_one || (y.first() <= Some(&1) && y.iter().skip(1).all(|byte| *byte == 0));
    y.len() == 56 && sign & 0x7f == 0 && below && !small
}

/// As lists spell it: a leaf may have a compressed point.
pub fn spelled(scheme: u16, public_key: &[u8]) -> Vec<u8> {
    let long = match scheme {
        P256 => p256(public_key).map(|key| key.to_sec1_point(false).as_bytes().to_vec()),
        P384 => p384(public_key).map(|key| key.to_sec1_point(false).as_bytes().to_vec()),
        P521 => p521(public_key).map(|key| key.to_sec1_point(false).as_bytes().to_vec()),
        _ => None,
    };
    long.unwrap_or_else(|| public_key.to_vec())
}

fn ed25519(public_key: &[u8]) -> Option<ed25519_dalek::VerifyingKey> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(public_key.try_into().ok()?).ok()?;
    let canonical = key.to_edwards().compress().to_bytes() == public_key;
    (canonical && !key.is_weak()).then_some(key)
}

fn p256(public_key: &[u8]) -> Option<ecdsa::VerifyingKey> {
    matches!(public_key.first(), Some(2..=4)).then(|| ecdsa::VerifyingKey::from_sec1_bytes(public_key).ok()).flatten()
}

fn p384(public_key: &[u8]) -> Option<p384::ecdsa::VerifyingKey> {
    matches!(public_key.first(), Some(2..=4)).then(|| p384::ecdsa::VerifyingKey::from_sec1_bytes(public_key).ok()).flatten()
}

fn p521(public_key: &[u8]) -> Option<p521::ecdsa::VerifyingKey> {
    matches!(public_key.first(), Some(2..=4)).then(|| p521::ecdsa::VerifyingKey::from_sec1_bytes(public_key).ok()).flatten()
}

/// VerifyWithLabel of RFC 9420 §5.1.2.
pub fn verifies(scheme: u16, public_key: &[u8], label: &str, content: &[u8], signature: &[u8]) -> bool {
    verifies_plainly(scheme, public_key, &labelled(label, content), signature)
}

pub fn verifies_plainly(scheme: u16, public_key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let valid = match scheme {
        ED25519 => ed25519(public_key).and_then(|key| {
            let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
            key.verify(signed, &signature).ok()
        }),
        P256 => p256(public_key).and_then(|key| {
            let signature = ecdsa::Signature::from_der(signature).ok()?;
            key.verify(signed, &signature).ok()
        }),
        P384 => p384(public_key).and_then(|key| {
            let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
            key.verify(signed, &signature).ok()
        }),
        P521 => p521(public_key).and_then(|key| {
            let signature = p521::ecdsa::Signature::from_der(signature).ok()?;
            key.verify(signed, &signature).ok()
        }),
        _ => None,
    };
    valid.is_some()
}

/// What SignWithLabel signs.
pub fn labelled(label: &str, content: &[u8]) -> Vec<u8> {
    [opaque(format!("MLS 1.0 {label}").as_bytes()), opaque(content)].concat()
}
