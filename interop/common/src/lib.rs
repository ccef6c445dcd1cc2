//! What a client of the server does whatever MLS library it has: registration, KeyPackages, groups and the stream, as docs/api-tour.md
//! tells it. `Stack` is the library's part. A program is `fn main() { interop_common::serve::<MyStack>() }`, driven over its standard input.

mod certified;
mod commands;
mod conversation;
mod device;
mod http;
mod identity;
mod possession;
mod quarantine;
mod reading;
mod stack;
mod stream;
mod tls;

pub use commands::serve;
pub use identity::{LEAF_CERTIFICATE, Leaf};
pub use stack::{Begun, Bundle, Changes, Event, Founded, KeyPackageKind, Mode, Origin, Proposal, Stack, View, library};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// Why something did not work: a problem of the server (its type and rule), or what the library says.
#[derive(Debug, Clone)]
pub struct Failure {
    pub status: u16,
    /// The last part of the problem's type, or `library`.
    pub kind: String,
    pub detail: String,
    pub document: Value,
}

impl Failure {
    pub fn new(kind: &str, detail: impl Into<String>) -> Self {
        Failure { status: 0, kind: kind.into(), detail: detail.into(), document: Value::Null }
    }
}

pub type Outcome<T> = Result<T, Failure>;

pub(crate) fn to_text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A field of bytes, which JSON has as base64url.
pub(crate) fn bytes_of(value: &Value) -> Outcome<Vec<u8>> {
    let text = value.as_str().ok_or_else(|| Failure::new("driver", format!("no bytes in {value}")))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|error| Failure::new("driver", error.to_string()))
}
