use super::keys::{is_checked, is_known, is_sound, signs_entries, verifies};
use super::list::{Broken, Ended, Held, List, Signer, check};
use super::passkeys::passkey_verifies;
use super::structures::*;

const DAY: u64 = 86_400;
/// Of them eight are kept for certificates by recovery signers.
const MAX_ACTIVE: usize = 32;
const MAX_ACTIVE_BY_DEVICES: usize = 24;

/// The rules for a certificate but for those of its keys.
pub fn check_certificate(list: &List, content: &EntryContent, certificate: &Certificate) -> Result<(), Broken> {
    let former = former(list, certificate);
    check("certificate-subject", subject_fits(list, certificate, former))?;
    if let Some(former) = former {
        check("certificate-replaced", content.signer == former.number && certificate.rights & !former.certificate.rights == 0)?;
    }
    check("certificate-rights", rights_fit(list.signer(content.signer), certificate))?;
    let days = if certificate.kind == HolderKind::Device { 400 } else { 4_000 };
    let lasts = certificate.not_after.checked_sub(certificate.not_before);
    check("certificate-validity", lasts.is_some_and(|lasts| lasts > 0 && lasts <= days * DAY))?;
    let most = if list.is_recovery(content) { MAX_ACTIVE } else { MAX_ACTIVE_BY_DEVICES };
    check("certificate-number", former.is_some() || list.current().count() < most)
}

pub fn check_keys(list: &List, certificate: &Certificate) -> Result<(), Broken> {
    check("certificate-keys", keys_fit(list, certificate, former(list, certificate)))?;
    let identity = list.identity();
    check("certificate-possession", certificate.keys.iter().all(|key| possesses(&identity, certificate, key)))
}

/// It is in the list, in the place of the one before.
pub fn hold(list: &mut List, content: &EntryContent, certificate: &Certificate) {
    let replaces = former(list, certificate).map(|one| one.number);
    for one in list.held.iter_mut().filter(|one| Some(one.number) == replaces) {
        one.ended = Some(Ended::Replaced { at: content.time });
    }
    let EntryContent { number, signer, time, .. } = *content;
    list.held.push(Held { number, signer, time, certificate: certificate.clone(), replaces, ended: None });
}

/// The certificate that this one replaces.
fn former<'a>(list: &'a List, certificate: &Certificate) -> Option<&'a Held> {
    list.current().find(|one| one.is_replaced_by(certificate))
}

fn subject_fits(list: &List, certificate: &Certificate, former: Option<&Held>) -> bool {
    match certificate.kind {
        HolderKind::Device => {
            let is_new = former.is_some() || !list.held.iter().any(|one| one.is_replaced_by(certificate));
            is_new && is_client_of(&certificate.subject, &list.user)
        }
        HolderKind::RecoveryKey => certificate.subject.is_empty(),
        HolderKind::Passkey => str::from_utf8(&certificate.subject).is_ok_and(is_domain),
    }
}

/// `mimi://<domain>/u/<user>`.
pub fn is_user(user: &[u8]) -> bool {
    let parts = str::from_utf8(user).ok().and_then(|user| user.strip_prefix("mimi://")?.split_once("/u/"));
    let is_name = |name: &str| {
        let alone = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let within = |byte: u8| alone(byte) || matches!(byte, b'.' | b'_' | b'-');
        name.len() <= 64 && name.bytes().next().is_some_and(alone) && name.bytes().all(within)
    };
    parts.is_some_and(|(authority, name)| {
        let (domain, port) = authority.split_once(':').unwrap_or((authority, "0"));
        is_domain(domain) && (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()) && is_name(name)
    })
}

/// In lower case, without a port.
fn is_domain(domain: &str) -> bool {
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let within = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    domain.len() <= 253 && end(domain.bytes().next()) && end(domain.bytes().last()) && domain.bytes().all(within)
}

/// `mimi://<domain>/d/<user>/<device>` of `mimi://<domain>/u/<user>`.
pub fn is_client_of(client: &[u8], user: &[u8]) -> bool {
    let of = || {
        let (client, user) = (str::from_utf8(client).ok()?, str::from_utf8(user).ok()?);
        let (domain, name) = user.strip_prefix("mimi://")?.split_once("/u/")?;
        let device = client.strip_prefix(&format!("mimi://{domain}/d/{name}/"))?;
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&device.len()) && device.bytes().all(named)).then_some(())
    };
    of().is_some()
}

fn keys_fit(list: &List, Certificate { kind, keys, .. }: &Certificate, former: Option<&Held>) -> bool {
    let Some(first) = keys.first() else { return false };
    let sound = signs_entries(first.scheme) && is_sound(first.scheme, &first.public_key);
    let others = keys.iter().all(|key| !is_known(key.scheme) || is_sound(key.scheme, &key.public_key));
    let once = keys.iter().enumerate().all(|(index, key)| !keys[..index].iter().any(|other| other.is(key)));
    // A key that was renewed before is in more certificates than the one that is replaced.
    let fresh = keys.iter().all(|key| former.is_some_and(|one| one.certificate.names(key)) || !list.has_key(key));
    (*kind == HolderKind::Device || keys.len() == 1) && sound && others && once && fresh
}

fn possesses(identity: &[u8], certificate: &Certificate, key: &CertifiedKey) -> bool {
    if !is_checked(key.scheme) {
        return true;
    }
    let content = possession(identity, certificate.kind, &certificate.subject);
    if certificate.kind == HolderKind::Passkey {
        return passkey_verifies(key.scheme, &key.public_key, &certificate.subject, POSSESSION_LABEL, &content, &key.possession);
    }
    verifies(key.scheme, &key.public_key, POSSESSION_LABEL, &content, &key.possession)
}

fn rights_fit(signer: Option<Signer>, certificate: &Certificate) -> bool {
    let allowed = match signer {
        Some(Signer::Holder(Held { certificate: by, .. })) if by.kind == HolderKind::Device => by.rights,
        _ => ALL_RIGHTS,
    };
    let most = if certificate.kind == HolderKind::Device { ALL_RIGHTS } else { ENROL };
    certificate.rights & !(allowed & most) == 0
}
