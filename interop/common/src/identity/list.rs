use super::certificates::{check_certificate, check_keys, hold, is_user};
use super::keys::{is_sound, signs_entries, verifies};
use super::passkeys::passkey_verifies;
use super::structures::*;

/// The name of the rule that is broken (docs/identity.md §2 to §4).
pub type Broken = &'static str;

const DAY: u64 = 86_400;
const MAX_ENTRY_BYTES: usize = 16_384;
/// Behind it there is room for revocations only, and before it for certificates by recovery signers.
const MAX_CERTIFICATES: u32 = 960;
const MAX_CERTIFICATES_BY_DEVICES: u32 = 864;
/// How old a recovery key or passkey that a device has certified has to be.
const RECOVERY_AFTER: u64 = 7 * DAY;
/// How far ahead of the reader's clock a date may be.
const AHEAD: u64 = DAY;
const MAX_HEAD_VALIDITY: u64 = 30 * DAY;
/// How long a certificate that ended by its time can replace itself.
const RENEWAL_AFTER_END: u64 = 90 * DAY;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// `at`: the time of the entry that did so.
    Replaced {
        at: u64,
    },
    Revoked,
}

/// A certificate in a list, and what became of it.
#[derive(Clone, Debug)]
pub struct Held {
    pub number: u32,
    pub signer: u32,
    /// Of its entry.
    pub time: u64,
    pub certificate: Certificate,
    /// The number of the certificate that it has taken the place of.
    pub replaces: Option<u32>,
    pub ended: Option<Ended>,
}

impl Held {
    /// A certificate for the same device.
    pub fn is_replaced_by(&self, next: &Certificate) -> bool {
        next.kind == HolderKind::Device && next.kind == self.certificate.kind && next.subject == self.certificate.subject
    }

    /// The first and the last second are in its time.
    pub fn is_valid_at(&self, time: u64) -> bool {
        self.certificate.not_before <= time && time <= self.certificate.not_after
    }
}

/// A device list, as far as it was read. It begins empty.
#[derive(Clone, Debug)]
pub struct List {
    pub user: Vec<u8>,
    pub entries: Vec<Entry>,
    pub held: Vec<Held>,
    identity_key: (u16, Vec<u8>),
    identity_key_ended: bool,
}

/// Who signs: the identity key, or the holder of a certificate.
pub enum Signer<'a> {
    IdentityKey,
    Holder(&'a Held),
}

impl List {
    pub fn new(user: &str) -> Self {
        List { user: user.into(), entries: vec![], held: vec![], identity_key: (0, vec![]), identity_key_ended: false }
    }

    /// SHA-256 of the first entry.
    pub fn identity(&self) -> Vec<u8> {
        self.hash_at(1).unwrap_or_default()
    }

    pub fn number(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    pub fn hash_at(&self, number: u32) -> Option<Vec<u8>> {
        self.entries.get(number.checked_sub(1)? as usize).map(Entry::hash)
    }

    pub fn last_time(&self) -> u64 {
        self.entries.last().map_or(0, |last| last.content.time)
    }

    pub fn at(&self, number: u32) -> Option<&Held> {
        self.held.iter().find(|one| one.number == number)
    }

    /// Whose certificate is neither replaced nor revoked.
    pub fn current(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|one| one.ended.is_none())
    }

    /// Reads what follows. A list with an entry that breaks a rule is refused as a whole. `now`: seconds since 1970.
    pub fn extend<'a>(&mut self, entries: impl IntoIterator<Item = &'a [u8]>, now: u64) -> Result<(), Broken> {
        for bytes in entries {
            self.append(bytes, now)?;
        }
        if self.entries.is_empty() { Err("entry-first") } else { Ok(()) }
    }

    fn append(&mut self, bytes: &[u8], now: u64) -> Result<(), Broken> {
        let entry = if bytes.len() <= MAX_ENTRY_BYTES { Entry::decode(bytes) } else { None }.ok_or("entry-encoding")?;
        self.check_place(&entry.content, now)?;
        match &entry.content.body {
            Body::Identity { scheme, public_key } => {
                check("identity-key", signs_entries(*scheme) && is_sound(*scheme, public_key))?;
                check("entry-signature", verifies(*scheme, public_key, ENTRY_LABEL, &entry.tbs, &entry.signature))?;
                self.identity_key = (*scheme, public_key.clone());
            }
            Body::Certificate(certificate) => {
                self.check_signer(&entry.content)?;
                check_certificate(self, &entry.content, certificate)?;
                self.check_signature(&entry)?;
                check_keys(self, certificate)?;
                hold(self, &entry.content, certificate);
            }
            Body::Revocation { revoked, since } => {
                self.check_signer(&entry.content)?;
                self.check_target(&entry.content, *revoked, *since)?;
                self.check_signature(&entry)?;
                self.revoke(*revoked, *since);
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    fn check_place(&self, content: &EntryContent, now: u64) -> Result<(), Broken> {
        check("entry-user", content.user == self.user && is_user(&content.user))?;
        let number = self.number() + 1;
        let most = match content.body {
            Body::Certificate(_) if self.is_recovery(content) => MAX_CERTIFICATES,
            Body::Certificate(_) => MAX_CERTIFICATES_BY_DEVICES,
            _ => u32::MAX,
        };
        check("entry-number", content.number == number && number <= most)?;
        check("entry-previous", content.previous == self.hash_at(self.number()).unwrap_or_default())?;
        check("entry-time", content.time >= self.last_time() && content.time <= now + AHEAD)?;
        let begins = matches!(content.body, Body::Identity { .. });
        check("entry-first", begins == (number == 1) && (number > 1 || content.signer == 1))
    }

    /// Whether it is signed by who brings a user back; a part of the list is kept for them.
    pub fn is_recovery(&self, content: &EntryContent) -> bool {
        let held = self.at(content.signer).filter(|one| one.certificate.kind != HolderKind::Device);
        content.signer == 1 || held.is_some_and(|one| one.signer == 1 || one.time + RECOVERY_AFTER <= content.time)
    }

    fn check_signer(&self, content: &EntryContent) -> Result<(), Broken> {
        let signer = self.signer(content.signer).ok_or("entry-signer")?;
        if let Signer::Holder(holder) = &signer {
            check("entry-signer", holder.is_valid_at(content.time) || renews_late(holder, content))?;
        }
        let (wanted, itself) = match &content.body {
            Body::Revocation { revoked, .. } => (REVOKE, *revoked == content.signer),
            Body::Certificate(next) => (ENROL, matches!(signer, Signer::Holder(holder) if holder.is_replaced_by(next))),
            Body::Identity { .. } => (ENROL, false),
        };
        check("entry-right", itself || signer.rights() & wanted != 0)
    }

    fn check_signature(&self, entry: &Entry) -> Result<(), Broken> {
        let signer = self.signer(entry.content.signer).ok_or("entry-signer")?;
        check("entry-signature", self.signed_by(&signer, ENTRY_LABEL, &entry.tbs, &entry.signature))
    }

    /// Who has this number, unless it was replaced or revoked.
    pub fn signer(&self, number: u32) -> Option<Signer<'_>> {
        if number == 1 {
            return (!self.identity_key_ended).then_some(Signer::IdentityKey);
        }
        self.at(number).filter(|holder| holder.ended.is_none()).map(Signer::Holder)
    }

    fn signed_by(&self, signer: &Signer, label: &str, content: &[u8], signature: &[u8]) -> bool {
        match signer {
            Signer::IdentityKey => verifies(self.identity_key.0, &self.identity_key.1, label, content, signature),
            Signer::Holder(Held { certificate, .. }) => {
                let Some(key) = certificate.keys.first() else { return false };
                if certificate.kind == HolderKind::Passkey {
                    return passkey_verifies(key.scheme, &key.public_key, &certificate.subject, label, content, signature);
                }
                verifies(key.scheme, &key.public_key, label, content, signature)
            }
        }
    }

    /// Whether any entry had this key.
    pub fn has_key(&self, key: &CertifiedKey) -> bool {
        let (scheme, public_key) = &self.identity_key;
        (*scheme, public_key) == (key.scheme, &key.public_key) || self.held.iter().any(|one| one.certificate.names(key))
    }

    /// The certificate of this number, and those that it replaced, one after the other.
    fn holder_of(&self, number: u32) -> Vec<u32> {
        let mut own = vec![number];
        while let Some(former) = own.last().and_then(|last| self.at(*last)?.replaces) {
            own.push(former);
        }
        own
    }

    /// The certificates from which this one hangs, by their signers.
    pub fn issuers(&self, number: u32) -> impl Iterator<Item = &Held> {
        std::iter::successors(self.at(number), |one| self.at(one.signer)).skip(1)
    }

    fn check_target(&self, content: &EntryContent, revoked: u32, since: u32) -> Result<(), Broken> {
        let there = if revoked == 1 { content.signer == 1 } else { self.at(revoked).is_some_and(|one| one.ended.is_none()) };
        check("revocation-target", there && since < content.number)
    }

    fn revoke(&mut self, revoked: u32, since: u32) {
        let mut gone = vec![revoked];
        if since != 0 {
            let own = self.holder_of(revoked);
            let hangs = |gone: &[u32], one: &Held| (one.number >= since && own.contains(&one.signer)) || gone[1..].contains(&one.signer);
            for one in &self.held {
                if hangs(&gone, one) {
                    gone.push(one.number);
                }
            }
        }
        for one in self.held.iter_mut().filter(|one| one.ended.is_none() && gone.contains(&one.number)) {
            one.ended = Some(Ended::Revoked);
        }
        self.identity_key_ended |= revoked == 1;
    }

    /// The head of this list. Whether it has expired is another question.
    pub fn check_head(&self, bytes: &[u8], now: u64) -> Result<HeadContent, Broken> {
        let Head { content, tbs, signature } = Head::decode(bytes).ok_or("head-encoding")?;
        check("head-user", content.user == self.user)?;
        check("head-entry", content.number == self.number() && self.hash_at(content.number) == Some(content.hash.clone()))?;
        let HeadContent { issued_at, expires_at, .. } = content;
        let lasts = issued_at < expires_at && expires_at - issued_at <= MAX_HEAD_VALIDITY;
        check("head-validity", lasts && issued_at >= self.last_time() && issued_at <= now + AHEAD)?;
        let signer = self.signer(content.signer).ok_or("head-signer")?;
        if let Signer::Holder(holder) = &signer {
            check("head-signer", holder.is_valid_at(issued_at))?;
        }
        check("head-right", signer.rights() & ATTEST != 0)?;
        check("head-signature", self.signed_by(&signer, HEAD_LABEL, &tbs, &signature))?;
        Ok(content)
    }
}

impl Signer<'_> {
    pub fn rights(&self) -> u8 {
        match self {
            Signer::IdentityKey => ALL_RIGHTS,
            Signer::Holder(holder) => holder.certificate.rights,
        }
    }
}

fn renews_late(holder: &Held, content: &EntryContent) -> bool {
    let Body::Certificate(next) = &content.body else { return false };
    let after = content.time.checked_sub(holder.certificate.not_after);
    holder.is_replaced_by(next) && after.is_some_and(|after| after <= RENEWAL_AFTER_END)
}

pub fn check(rule: Broken, holds: bool) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(rule) }
}
