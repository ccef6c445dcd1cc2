//! The structures of docs/identity.md §2 to §4. What is decoded keeps the bytes that were signed.

use crate::tls::{Reader, opaque};
use sha2::{Digest, Sha256};

pub const ENTRY_LABEL: &str = "MicroChat Device List Entry";
pub const HEAD_LABEL: &str = "MicroChat Device List Head";
pub const POSSESSION_LABEL: &str = "MicroChat Key Possession";

pub const ENROL: u8 = 1;
pub const REVOKE: u8 = 2;
pub const ATTEST: u8 = 4;
pub const ALL_RIGHTS: u8 = ENROL | REVOKE | ATTEST;

const MAX_KEYS: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HolderKind {
    Device = 1,
    RecoveryKey = 2,
    Passkey = 3,
}

#[derive(Clone, Debug)]
pub struct CertifiedKey {
    pub scheme: u16,
    pub public_key: Vec<u8>,
    pub possession: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Certificate {
    pub kind: HolderKind,
    pub subject: Vec<u8>,
    pub keys: Vec<CertifiedKey>,
    pub rights: u8,
    pub not_before: u64,
    pub not_after: u64,
}

#[derive(Clone, Debug)]
pub enum Body {
    Identity { scheme: u16, public_key: Vec<u8> },
    Certificate(Certificate),
    Revocation { revoked: u32, since: u32 },
}

/// A DeviceListEntryTBS.
#[derive(Clone, Debug)]
pub struct EntryContent {
    pub user: Vec<u8>,
    pub number: u32,
    pub previous: Vec<u8>,
    pub time: u64,
    pub signer: u32,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub content: EntryContent,
    /// The encoded DeviceListEntryTBS.
    pub tbs: Vec<u8>,
    pub signature: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct HeadContent {
    pub user: Vec<u8>,
    pub number: u32,
    pub hash: Vec<u8>,
    pub issued_at: u64,
    pub expires_at: u64,
    pub signer: u32,
}

#[derive(Clone, Debug)]
pub struct Head {
    pub content: HeadContent,
    pub tbs: Vec<u8>,
    pub signature: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct LeafCertificate {
    pub identity: Vec<u8>,
    pub list_number: u32,
    pub list_hash: Vec<u8>,
    pub certificate: Entry,
}

impl EntryContent {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1];
        out.extend(opaque(&self.user));
        out.extend(self.number.to_be_bytes());
        out.extend(opaque(&self.previous));
        out.extend(self.time.to_be_bytes());
        out.extend(self.signer.to_be_bytes());
        match &self.body {
            Body::Identity { scheme, public_key } => {
                out.push(1);
                out.extend(scheme.to_be_bytes());
                out.extend(opaque(public_key));
            }
            Body::Certificate(certificate) => {
                out.push(2);
                out.extend(certificate.encode());
            }
            Body::Revocation { revoked, since } => {
                out.push(3);
                out.extend(revoked.to_be_bytes());
                out.extend(since.to_be_bytes());
            }
        }
        out
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        if reader.u8()? != 1 {
            return None;
        }
        let (user, number) = (reader.opaque()?.to_vec(), reader.u32()?);
        let (previous, time, signer) = (reader.opaque()?.to_vec(), reader.u64()?, reader.u32()?);
        let body = match reader.u8()? {
            1 => Body::Identity { scheme: reader.u16()?, public_key: reader.opaque()?.to_vec() },
            2 => Body::Certificate(Certificate::read(reader)?),
            3 => Body::Revocation { revoked: reader.u32()?, since: reader.u32()? },
            _ => return None,
        };
        Some(EntryContent { user, number, previous, time, signer, body })
    }
}

impl Certificate {
    pub fn names(&self, key: &CertifiedKey) -> bool {
        self.keys.iter().any(|own| own.is(key))
    }

    fn encode(&self) -> Vec<u8> {
        let keys: Vec<u8> = self.keys.iter().flat_map(CertifiedKey::encode).collect();
        let mut out = vec![self.kind as u8];
        out.extend(opaque(&self.subject));
        out.extend(opaque(&keys));
        out.push(self.rights);
        out.extend(self.not_before.to_be_bytes());
        out.extend(self.not_after.to_be_bytes());
        out
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        let kind = match reader.u8()? {
            1 => HolderKind::Device,
            2 => HolderKind::RecoveryKey,
            3 => HolderKind::Passkey,
            _ => return None,
        };
        let subject = reader.opaque()?.to_vec();
        let (mut listed, mut keys) = (Reader(reader.opaque()?), Vec::new());
        while !listed.is_empty() {
            if keys.len() == MAX_KEYS {
                return None;
            }
            keys.push(CertifiedKey::read(&mut listed)?);
        }
        let (rights, not_before, not_after) = (reader.u8()?, reader.u64()?, reader.u64()?);
        Some(Certificate { kind, subject, keys, rights, not_before, not_after })
    }
}

impl CertifiedKey {
    pub fn is(&self, other: &CertifiedKey) -> bool {
        self.scheme == other.scheme && self.public_key == other.public_key
    }

    fn encode(&self) -> Vec<u8> {
        [self.scheme.to_be_bytes().to_vec(), opaque(&self.public_key), opaque(&self.possession)].concat()
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        Some(CertifiedKey { scheme: reader.u16()?, public_key: reader.opaque()?.to_vec(), possession: reader.opaque()?.to_vec() })
    }
}

impl Entry {
    pub fn encode(&self) -> Vec<u8> {
        [self.tbs.clone(), opaque(&self.signature)].concat()
    }

    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(&self.tbs).to_vec()
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        exactly(bytes, Entry::read)
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        let (content, tbs) = with_bytes(reader, EntryContent::read)?;
        Some(Entry { content, tbs, signature: reader.opaque()?.to_vec() })
    }
}

impl HeadContent {
    /// Dates are compared only where two heads are of the same entries.
    pub fn supersedes(&self, kept: &HeadContent) -> bool {
        self.number > kept.number || (self.number == kept.number && self.issued_at > kept.issued_at)
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1];
        out.extend(opaque(&self.user));
        out.extend(self.number.to_be_bytes());
        out.extend(opaque(&self.hash));
        out.extend(self.issued_at.to_be_bytes());
        out.extend(self.expires_at.to_be_bytes());
        out.extend(self.signer.to_be_bytes());
        out
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        if reader.u8()? != 1 {
            return None;
        }
        let (user, number, hash) = (reader.opaque()?.to_vec(), reader.u32()?, reader.opaque()?.to_vec());
        Some(HeadContent { user, number, hash, issued_at: reader.u64()?, expires_at: reader.u64()?, signer: reader.u32()? })
    }
}

impl Head {
    pub fn encode(&self) -> Vec<u8> {
        [self.tbs.clone(), opaque(&self.signature)].concat()
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        exactly(bytes, |reader| {
            let (content, tbs) = with_bytes(reader, HeadContent::read)?;
            Some(Head { content, tbs, signature: reader.opaque()?.to_vec() })
        })
    }
}

impl LeafCertificate {
    pub fn encode(&self) -> Vec<u8> {
        let number = self.list_number.to_be_bytes().to_vec();
        [opaque(&self.identity), number, opaque(&self.list_hash), self.certificate.encode()].concat()
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        exactly(bytes, |reader| {
            let (identity, list_number) = (reader.opaque()?.to_vec(), reader.u32()?);
            Some(LeafCertificate { identity, list_number, list_hash: reader.opaque()?.to_vec(), certificate: Entry::read(reader)? })
        })
    }
}

/// A KeyPossession.
pub fn possession(identity: &[u8], kind: HolderKind, subject: &[u8]) -> Vec<u8> {
    [opaque(identity), vec![kind as u8], opaque(subject)].concat()
}

fn exactly<T>(bytes: &[u8], read: impl Fn(&mut Reader) -> Option<T>) -> Option<T> {
    let mut reader = Reader(bytes);
    read(&mut reader).filter(|_| reader.is_empty())
}

fn with_bytes<T>(reader: &mut Reader, read: impl Fn(&mut Reader) -> Option<T>) -> Option<(T, Vec<u8>)> {
    let before = reader.0;
    let value = read(reader)?;
    Some((value, before[..before.len() - reader.0.len()].to_vec()))
}
