//! A device on mls-rs.

use interop_common::{
    Begun, Bundle, Changes, Event, Failure, Founded, KeyPackageKind, LEAF_CERTIFICATE, Leaf, Mode, Origin, Outcome, Proposal, Stack, View,
    library,
};
use mls_rs::client_builder::{
    BaseConfig, WithCryptoProvider, WithGroupStateStorage, WithIdentityProvider, WithKeyPackageRepo, WithMlsRules,
};
use mls_rs::crypto::SignatureSecretKey;
use mls_rs::extension::built_in::{ExternalSendersExt, RequiredCapabilitiesExt};
use mls_rs::group::proposal::Proposal as MlsProposal;
use mls_rs::group::{CommitEffect, ExportedTree, ReceivedMessage, ReinitClient};
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::{Credential, CustomCredential, SigningIdentity};
use mls_rs::mls_rs_codec::MlsDecode;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules, EncryptionOptions};
use mls_rs::storage_provider::in_memory::{InMemoryGroupStateStorage, InMemoryKeyPackageStorage};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, Extension, ExtensionList, Group, MlsMessage, ProtocolVersion};
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use std::collections::HashMap;
use std::time::Duration;

/// As many past epochs as the server accepts messages of (docs/interop.md); the library keeps three if it is not asked.
const PAST_EPOCHS: usize = 5;
/// The library's own default is 365 days.
const LIFETIME: Duration = Duration::from_secs(84 * 86_400);

type Config = WithKeyPackageRepo<
    InMemoryKeyPackageStorage,
    WithGroupStateStorage<
        InMemoryGroupStateStorage,
        WithMlsRules<DefaultMlsRules, WithIdentityProvider<BasicIdentityProvider, WithCryptoProvider<RustCryptoProvider, BaseConfig>>>,
    >,
>;

struct MlsRs {
    client: String,
    suite: CipherSuite,
    secret: SignatureSecretKey,
    public: Vec<u8>,
    states: InMemoryGroupStateStorage,
    key_packages: InMemoryKeyPackageStorage,
    groups: HashMap<Vec<u8>, Group<Config>>,
    joining: HashMap<Vec<u8>, Group<Config>>,
    /// Groups whose Welcome is for a member of the group before, and which that is.
    expected: HashMap<Vec<u8>, (Vec<u8>, Origin)>,
    /// Messages with the proposals of a group's epoch.
    waiting: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    /// What own leaves carry.
    certificate: Option<Vec<u8>>,
}

fn main() {
    interop_common::serve::<MlsRs>();
}

impl Stack for MlsRs {
    fn new(client: &str, suite: u16) -> Outcome<Self> {
        let suite = CipherSuite::from(suite);
        let provider = RustCryptoProvider::default().cipher_suite_provider(suite).ok_or_else(|| library("this suite is not supported"))?;
        let (secret, public) = provider.signature_key_generate().map_err(library)?;
        let states = InMemoryGroupStateStorage::new().with_max_epoch_retention(PAST_EPOCHS).map_err(library)?;
        let key_packages = InMemoryKeyPackageStorage::default();
        let public = public.as_bytes().to_vec();
        Ok(MlsRs {
            client: client.into(),
            suite,
            secret,
            public,
            states,
            key_packages,
            groups: HashMap::new(),
            joining: HashMap::new(),
            expected: HashMap::new(),
            waiting: HashMap::new(),
            certificate: None,
        })
    }

    fn public_key(&self) -> Vec<u8> {
        self.public.clone()
    }

    fn sign(&self, content: &[u8]) -> Outcome<Vec<u8>> {
        let provider = RustCryptoProvider::default().cipher_suite_provider(self.suite).ok_or_else(|| library("no suite"))?;
        provider.sign(&self.secret, content).map_err(library)
    }

    fn key_package(&mut self, kind: KeyPackageKind) -> Outcome<Vec<u8>> {
        let credential = match kind {
            KeyPackageKind::CustomCredential => Credential::Custom(CustomCredential::new(0xF100.into(), self.client.clone().into_bytes())),
            KeyPackageKind::Grease => return Err(Failure::new("unsupported", "GREASE is a feature of the whole build")),
            _ => self.credential(),
        };
        let lifetime = (kind != KeyPackageKind::DefaultLifetime).then_some(LIFETIME);
        let client = self.client_for(Mode::Public, credential, lifetime);
        let made = client.generate_key_package_message(ExtensionList::default(), self.leaf_extensions(), None).map_err(library)?;
        made.to_bytes().map_err(library)
    }

    fn show(&mut self, certificate: Vec<u8>) {
        self.certificate = Some(certificate);
    }

    fn create(&mut self, group: &[u8], mode: Mode, senders: &[Vec<u8>], required: &[u16]) -> Outcome<Founded> {
        let senders = senders
            .iter()
            .map(|sender| SigningIdentity::mls_decode(&mut sender.as_slice()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(library)?;
        let mut extensions = ExtensionList::default();
        extensions.set_from(ExternalSendersExt::new(senders)).map_err(library)?;
        if !required.is_empty() {
            let required = required.iter().map(|one| (*one).into()).collect();
            extensions.set_from(RequiredCapabilitiesExt::new(required, vec![], vec![])).map_err(library)?;
        }
        let builder = self.usual(mode).group_builder().map_err(library)?.with_leaf_node_extensions(self.leaf_extensions());
        let mut made = builder.with_group_id(group.to_vec()).with_group_context_extensions(extensions).build().map_err(library)?;
        made.write_to_storage().map_err(library)?;
        let group_info = made.group_info_message_allowing_ext_commit(false).map_err(library)?.to_bytes().map_err(library)?;
        let tree = made.export_tree().to_bytes().map_err(library)?;
        self.groups.insert(group.to_vec(), made);
        Ok(Founded { group_info, tree: Some(tree) })
    }

    fn join(&mut self, group: &[u8], mode: Mode, welcome: &[u8], tree: Option<&[u8]>) -> Outcome<()> {
        self.forget(group);
        let tree = tree.map(|tree| ExportedTree::from_bytes(tree)).transpose().map_err(library)?;
        let welcome = message(welcome)?;
        let (mut joined, _) = match self.expected.remove(group) {
            None => self.usual(mode).join_group(tree, &welcome, None),
            Some((before, Origin::Branch)) => opened(&mut self.groups, &before)?.join_subgroup(&welcome, tree, None),
            Some((before, Origin::Reinit)) => self.reinit_client(&before, mode)?.join(&welcome, tree, None),
        }
        .map_err(library)?;
        joined.write_to_storage().map_err(library)?;
        self.groups.insert(group.to_vec(), joined);
        Ok(())
    }

    fn join_externally(&mut self, group: &[u8], mode: Mode, group_info: &[u8], tree: &[u8], resync: bool) -> Outcome<Bundle> {
        let own = self.groups.get(group).map(|former| former.current_member_index());
        self.states.delete_group(group);
        let tree = ExportedTree::from_bytes(tree).map_err(library)?.into_owned();
        let mut builder = self.usual(mode).external_commit_builder().map_err(library)?.with_tree_data(tree);
        builder = builder.with_leaf_node_extensions(self.leaf_extensions());
        if let (true, Some(leaf)) = (resync, own) {
            builder = builder.with_removal(leaf);
        }
        let (joined, commit) = builder.build(message(group_info)?).map_err(library)?;
        let group_info = joined.group_info_message_allowing_ext_commit(false).map_err(library)?.to_bytes().map_err(library)?;
        let tree = joined.export_tree().to_bytes().map_err(library)?;
        self.joining.insert(group.to_vec(), joined);
        Ok(Bundle { commit: commit.to_bytes().map_err(library)?, welcomes: vec![], group_info, tree: Some(tree), removed: vec![] })
    }

    fn commit(&mut self, group: &[u8], changes: &Changes) -> Outcome<Bundle> {
        let extensions = self.leaf_extensions();
        let open = opened(&mut self.groups, group)?;
        let pending: Vec<u32> = open.get_cached_proposals().iter().filter_map(|one| removal(one.proposal())).collect();
        let named = leaves_of(open, &changes.removed).into_iter().chain(changes.leaves.iter().copied());
        let own: Vec<u32> = named.filter(|leaf| !pending.contains(leaf)).collect();
        let removed = pending
            .iter()
            .chain(&own)
            .filter_map(|leaf| open.member_at_index(*leaf))
            .map(|member| name_of(&member.signing_identity))
            .collect();
        let mut builder = open.commit_builder().set_leaf_node_extensions(extensions);
        for key_package in &changes.key_packages {
            builder = builder.add_member(message(key_package)?).map_err(library)?;
        }
        for leaf in own {
            builder = builder.remove_member(leaf).map_err(library)?;
        }
        let made = builder.build().map_err(library)?;
        let bytes = |one: &MlsMessage| one.to_bytes().map_err(library);
        let group_info = made.external_commit_group_info().ok_or_else(|| library("no GroupInfo")).and_then(bytes)?;
        let tree = made.ratchet_tree().map(|tree| tree.to_bytes().map_err(library)).transpose()?;
        let welcomes = made.welcome_messages().iter().map(bytes).collect::<Outcome<Vec<_>>>()?;
        Ok(Bundle { commit: bytes(made.commit_message())?, welcomes, group_info, tree, removed })
    }

    fn merge(&mut self, group: &[u8]) -> Outcome<()> {
        if let Some(mut joined) = self.joining.remove(group) {
            self.forget(group);
            joined.write_to_storage().map_err(library)?;
            self.groups.insert(group.to_vec(), joined);
            return Ok(());
        }
        let open = opened(&mut self.groups, group)?;
        open.apply_pending_commit().map_err(library)?;
        self.waiting.remove(group);
        open.write_to_storage().map_err(library)
    }

    fn discard(&mut self, group: &[u8]) -> Outcome<()> {
        if self.joining.remove(group).is_none() {
            opened(&mut self.groups, group)?.clear_pending_commit();
        }
        Ok(())
    }

    fn propose(&mut self, group: &[u8], proposal: &Proposal) -> Outcome<Vec<u8>> {
        let open = opened(&mut self.groups, group)?;
        let made = match proposal {
            Proposal::Add(key_package) => open.propose_add(message(key_package)?, vec![]),
            Proposal::Remove(client) => {
                let leaf = *leaves_of(open, std::slice::from_ref(client)).first().ok_or_else(|| library("no such member"))?;
                open.propose_remove(leaf, vec![])
            }
            Proposal::Update => open.propose_update(vec![]),
        };
        made.map_err(library)?.to_bytes().map_err(library)
    }

    fn encrypt(&mut self, group: &[u8], text: &str) -> Outcome<Vec<u8>> {
        let open = opened(&mut self.groups, group)?;
        open.encrypt_application_message(text.as_bytes(), vec![]).map_err(library)?.to_bytes().map_err(library)
    }

    fn process(&mut self, group: &[u8], bytes: &[u8]) -> Outcome<Event> {
        let open = opened(&mut self.groups, group)?;
        let waiting = self.waiting.entry(group.to_vec()).or_default();
        let event = match open.process_incoming_message(message(bytes)?).map_err(library)? {
            ReceivedMessage::ApplicationMessage(said) => {
                let from = open.member_at_index(said.sender_index).map(|member| name_of(&member.signing_identity)).unwrap_or_default();
                Event::Text { from, text: String::from_utf8(said.data().to_vec()).map_err(library)? }
            }
            ReceivedMessage::Proposal(_) => {
                waiting.push(bytes.to_vec());
                Event::Proposal
            }
            ReceivedMessage::Commit(commit) => {
                waiting.clear();
                if matches!(commit.effect, CommitEffect::Removed { .. }) {
                    Event::Removed
                } else {
                    Event::Commit { external: commit.is_external }
                }
            }
            _ => return Err(library("an unexpected kind of message")),
        };
        open.write_to_storage().map_err(library)?;
        Ok(event)
    }

    /// The library drops all proposals or none: the others are read again. What this device proposed is dropped, too.
    fn leave_out(&mut self, group: &[u8], void: &[u8]) -> Outcome<()> {
        let open = opened(&mut self.groups, group)?;
        let waiting = self.waiting.entry(group.to_vec()).or_default();
        waiting.retain(|one| one != void);
        open.clear_proposal_cache();
        for one in waiting.iter() {
            open.process_incoming_message(message(one)?).map_err(library)?;
        }
        Ok(())
    }

    fn view(&self, group: &[u8]) -> Outcome<View> {
        let open = self.groups.get(group).ok_or_else(|| library("no such group"))?;
        Ok(View {
            epoch: open.current_epoch(),
            authenticator: open.epoch_authenticator().map_err(library)?.as_bytes().to_vec(),
            members: open.roster().members_iter().map(|member| name_of(&member.signing_identity)).collect(),
            proposals: open.get_cached_proposals().len(),
        })
    }

    fn leaves(&self, group: &[u8]) -> Outcome<Vec<Leaf>> {
        let open = self.groups.get(group).ok_or_else(|| library("no such group"))?;
        let leaves = open.roster().members_iter().map(|member| Leaf {
            index: member.index,
            client: name_of(&member.signing_identity),
            signature_key: member.signing_identity.signature_key.as_bytes().to_vec(),
            certificate: member.extensions.get(LEAF_CERTIFICATE.into()).map(|found| found.extension_data),
        });
        Ok(leaves.collect())
    }

    fn requires(&self, group: &[u8], extension_type: u16) -> Outcome<bool> {
        let open = self.groups.get(group).ok_or_else(|| library("no such group"))?;
        let required = open.context().extensions().get_as::<RequiredCapabilitiesExt>().map_err(library)?;
        Ok(required.is_some_and(|required| required.extensions.contains(&extension_type.into())))
    }

    fn reinit(&mut self, group: &[u8], next: &[u8]) -> Outcome<Vec<u8>> {
        let suite = self.suite;
        let open = opened(&mut self.groups, group)?;
        let extensions = open.context().extensions().clone();
        let builder = open.commit_builder().reinit(Some(next.to_vec()), ProtocolVersion::MLS_10, suite, extensions).map_err(library)?;
        builder.build().map_err(library)?.commit_message().to_bytes().map_err(library)
    }

    fn expect(&mut self, group: &[u8], before: &[u8], origin: Origin) -> Outcome<()> {
        self.expected.insert(group.to_vec(), (before.to_vec(), origin));
        Ok(())
    }

    fn begin_after(&mut self, before: &[u8], origin: Origin, group: &[u8], mode: Mode, key_packages: &[Vec<u8>]) -> Outcome<Begun> {
        let key_packages = key_packages.iter().map(|one| message(one)).collect::<Outcome<Vec<_>>>()?;
        let (mut made, welcomes) = match origin {
            Origin::Branch => opened(&mut self.groups, before)?.branch(group.to_vec(), key_packages, None),
            Origin::Reinit => self.reinit_client(before, mode)?.commit(key_packages, self.leaf_extensions(), None),
        }
        .map_err(library)?;
        made.write_to_storage().map_err(library)?;
        let group_info = made.group_info_message_allowing_ext_commit(false).map_err(library)?.to_bytes().map_err(library)?;
        let tree = made.export_tree().to_bytes().map_err(library)?;
        let welcomes = welcomes.iter().map(|one| one.to_bytes().map_err(library)).collect::<Outcome<Vec<_>>>()?;
        self.groups.insert(group.to_vec(), made);
        Ok(Begun { founded: Founded { group_info, tree: Some(tree) }, welcomes })
    }
}

impl MlsRs {
    fn credential(&self) -> Credential {
        BasicCredential::new(self.client.clone().into_bytes()).into_credential()
    }

    fn usual(&self, mode: Mode) -> Client<Config> {
        self.client_for(mode, self.credential(), Some(LIFETIME))
    }

    fn leaf_extensions(&self) -> ExtensionList {
        self.certificate.iter().map(|data| Extension::new(LEAF_CERTIFICATE.into(), data.clone())).collect::<Vec<_>>().into()
    }

    /// The library takes its rules when a client is built, and the mode is a group's: the clients of one device share what they store.
    fn client_for(&self, mode: Mode, credential: Credential, lifetime: Option<Duration>) -> Client<Config> {
        let private = mode == Mode::Private;
        let commits = CommitOptions::new()
            .with_ratchet_tree_extension(private)
            .with_allow_external_commit(true)
            .with_always_out_of_band_ratchet_tree(true);
        let rules = DefaultMlsRules::new()
            .with_commit_options(commits)
            .with_encryption_options(EncryptionOptions::new(private, Default::default()));
        let identity = SigningIdentity::new(credential, self.public.clone().into());
        let builder = Client::builder()
            .crypto_provider(RustCryptoProvider::default())
            .identity_provider(BasicIdentityProvider)
            .mls_rules(rules)
            .group_state_storage(self.states.clone())
            .key_package_repo(self.key_packages.clone())
            .extension_types(self.certificate.iter().map(|_| LEAF_CERTIFICATE.into()))
            .signing_identity(identity, self.secret.clone(), self.suite);
        match lifetime {
            Some(lifetime) => builder.key_package_lifetime(lifetime).build(),
            None => builder.build(),
        }
    }

    /// It takes the group for itself: here a second one, from storage.
    fn reinit_client(&self, before: &[u8], mode: Mode) -> Outcome<ReinitClient<Config>> {
        let suspended = self.usual(mode).load_group(before).map_err(library)?;
        suspended.get_reinit_client(None, None).map_err(library)
    }

    /// A second membership in a group is refused while the first one's state is stored.
    fn forget(&mut self, group: &[u8]) {
        self.groups.remove(group);
        self.states.delete_group(group);
    }
}

fn opened<'a>(groups: &'a mut HashMap<Vec<u8>, Group<Config>>, group: &[u8]) -> Outcome<&'a mut Group<Config>> {
    groups.get_mut(group).ok_or_else(|| library("no such group"))
}

fn leaves_of(group: &Group<Config>, clients: &[String]) -> Vec<u32> {
    group.roster().members_iter().filter(|member| clients.contains(&name_of(&member.signing_identity))).map(|member| member.index).collect()
}

fn removal(proposal: &MlsProposal) -> Option<u32> {
    if let MlsProposal::Remove(remove) = proposal { Some(remove.to_remove()) } else { None }
}

fn name_of(identity: &SigningIdentity) -> String {
    identity.credential.as_basic().map(|basic| String::from_utf8_lossy(&basic.identifier).into_owned()).unwrap_or_default()
}

fn message(bytes: &[u8]) -> Outcome<MlsMessage> {
    MlsMessage::from_bytes(bytes).map_err(library)
}
