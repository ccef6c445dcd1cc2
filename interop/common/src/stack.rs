use crate::identity::Leaf;
use crate::{Failure, Outcome};
use std::fmt::Debug;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Public,
    Private,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyPackageKind {
    OneTime,
    LastResort,
    /// With values of RFC 9420 §13.5 among the capabilities.
    Grease,
    /// A credential that is neither basic nor X.509.
    CustomCredential,
    /// The lifetime that the library takes if nobody says anything.
    DefaultLifetime,
}

/// An epoch as joiners from outside see it. In private mode the tree may be inside the GroupInfo.
pub struct Founded {
    pub group_info: Vec<u8>,
    pub tree: Option<Vec<u8>>,
}

/// What goes to the server with one Commit, which the library keeps apart until `merge`.
pub struct Bundle {
    pub commit: Vec<u8>,
    pub welcomes: Vec<Vec<u8>>,
    pub group_info: Vec<u8>,
    pub tree: Option<Vec<u8>>,
    /// Client URIs of all that the Commit removes, by value and by reference.
    pub removed: Vec<String>,
}

#[derive(Default)]
pub struct Changes {
    /// MLSMessages.
    pub key_packages: Vec<Vec<u8>>,
    /// Client URIs.
    pub removed: Vec<String>,
    /// Indices of more leaves that go.
    pub leaves: Vec<u32>,
}

/// How a group comes from the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// RFC 9420 §11.2.
    Reinit,
    /// RFC 9420 §11.3.
    Branch,
}

/// A group at epoch 1, with members.
pub struct Begun {
    pub founded: Founded,
    pub welcomes: Vec<Vec<u8>>,
}

pub enum Proposal {
    Add(Vec<u8>),
    Remove(String),
    Update,
}

pub enum Event {
    Text {
        from: String,
        text: String,
    },
    Proposal,
    Commit {
        /// By a device that was no member (RFC 9420 §12.4.3.2).
        external: bool,
    },
    /// A Commit that removes this device.
    Removed,
}

pub struct View {
    pub epoch: u64,
    pub authenticator: Vec<u8>,
    pub members: Vec<String>,
    pub proposals: usize,
}

/// An MLS library as one device uses it. All messages are encoded MLSMessages; trees are `optional<Node> ratchet_tree<V>`.
pub trait Stack: Sized {
    fn new(client: &str, suite: u16) -> Outcome<Self>;
    fn public_key(&self) -> Vec<u8>;
    fn sign(&self, content: &[u8]) -> Outcome<Vec<u8>>;
    fn key_package(&mut self, kind: KeyPackageKind) -> Outcome<Vec<u8>>;
    /// Own leaves carry this as their extension `LEAF_CERTIFICATE` from now on, and list its type.
    fn show(&mut self, certificate: Vec<u8>);
    /// `senders` are encoded ExternalSender structs; `required`: extension types that each member has to know.
    fn create(&mut self, group: &[u8], mode: Mode, senders: &[Vec<u8>], required: &[u16]) -> Outcome<Founded>;
    fn join(&mut self, group: &[u8], mode: Mode, welcome: &[u8], tree: Option<&[u8]>) -> Outcome<()>;
    fn join_externally(&mut self, group: &[u8], mode: Mode, group_info: &[u8], tree: &[u8], resync: bool) -> Outcome<Bundle>;
    fn commit(&mut self, group: &[u8], changes: &Changes) -> Outcome<Bundle>;
    fn merge(&mut self, group: &[u8]) -> Outcome<()>;
    fn discard(&mut self, group: &[u8]) -> Outcome<()>;
    fn propose(&mut self, group: &[u8], proposal: &Proposal) -> Outcome<Vec<u8>>;
    fn encrypt(&mut self, group: &[u8], text: &str) -> Outcome<Vec<u8>>;
    fn process(&mut self, group: &[u8], message: &[u8]) -> Outcome<Event>;
    /// Commits of this epoch do without the proposal that came in this message: the server has found it void.
    fn leave_out(&mut self, group: &[u8], message: &[u8]) -> Outcome<()>;
    fn view(&self, group: &[u8]) -> Outcome<View>;
    fn leaves(&self, group: &[u8]) -> Outcome<Vec<Leaf>>;
    /// Whether the GroupContext's `required_capabilities` list this extension type.
    fn requires(&self, group: &[u8], extension_type: u16) -> Outcome<bool>;

    /// A Commit of a ReInit that announces the group `next`, of the same suite and with the same extensions.
    fn reinit(&mut self, _group: &[u8], _next: &[u8]) -> Outcome<Vec<u8>> {
        Err(Failure::new("unsupported", "the library makes no ReInit"))
    }
    /// The Welcome to `group`, when it comes, is for a member of `before`.
    fn expect(&mut self, _group: &[u8], _before: &[u8], _origin: Origin) -> Outcome<()> {
        Err(Failure::new("unsupported", "the library joins no group that comes from another"))
    }
    /// A group with those whose KeyPackages these are. All are members of `before`.
    fn begin_after(&mut self, _before: &[u8], _origin: Origin, _group: &[u8], _mode: Mode, _key_packages: &[Vec<u8>]) -> Outcome<Begun> {
        Err(Failure::new("unsupported", "the library begins no group that comes from another"))
    }
}

/// A refusal of the library.
pub fn library<E: Debug>(error: E) -> Failure {
    Failure::new("library", format!("{error:?}"))
}
