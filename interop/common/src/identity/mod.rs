//! Device lists and certificates, from docs/identity.md: a reading of the page that owes nothing to the server's and the example client's.

mod certificates;
mod contacts;
mod joiners;
mod keys;
mod leaf;
mod list;
mod making;
mod passkeys;
mod safety_number;
mod structures;
#[cfg(test)]
mod vectors;

pub use contacts::{Contacts, Known, Question, seconds, user_of};
pub use joiners::fits_before;
pub use leaf::{LEAF_CERTIFICATE, Leaf, leaf_in};
pub use making::{Author, Holder, Own, Update, begin, certify, head, revoke};
pub use safety_number::safety_number;
pub use structures::{CertifiedKey, LeafCertificate};
