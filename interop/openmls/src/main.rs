//! A device on OpenMLS.

use interop_common::{
    Bundle, Changes, Event, Failure, Founded, KeyPackageKind, LEAF_CERTIFICATE, Leaf, Mode, Outcome, Proposal, Stack, View, library,
};
use openmls::prelude::hash_ref::ProposalRef;
use openmls::prelude::tls_codec::{DeserializeBytes, Serialize};
use openmls::prelude::*;
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::Signer;
use std::collections::HashMap;

/// As many past epochs as the server accepts messages of (docs/interop.md); the library keeps none if it is not asked.
const PAST_EPOCHS: usize = 5;

struct OpenMls {
    provider: OpenMlsRustCrypto,
    suite: Ciphersuite,
    client: String,
    keys: SignatureKeyPair,
    groups: HashMap<Vec<u8>, MlsGroup>,
    /// Groups that an external Commit leads to, until the server accepts it.
    joining: HashMap<Vec<u8>, MlsGroup>,
    /// By the message that each proposal came in.
    waiting: HashMap<Vec<u8>, ProposalRef>,
    /// What own leaves carry.
    certificate: Option<Vec<u8>>,
}

fn main() {
    interop_common::serve::<OpenMls>();
}

impl Stack for OpenMls {
    fn new(client: &str, suite: u16) -> Outcome<Self> {
        let suite = Ciphersuite::try_from(suite).map_err(library)?;
        let provider = OpenMlsRustCrypto::default();
        provider.crypto().supports(suite).map_err(library)?;
        let keys = SignatureKeyPair::new(suite.signature_algorithm()).map_err(library)?;
        Ok(OpenMls {
            provider,
            suite,
            client: client.into(),
            keys,
            groups: HashMap::new(),
            joining: HashMap::new(),
            waiting: HashMap::new(),
            certificate: None,
        })
    }

    fn public_key(&self) -> Vec<u8> {
        self.keys.to_public_vec()
    }

    fn sign(&self, content: &[u8]) -> Outcome<Vec<u8>> {
        self.keys.sign(content).map_err(library)
    }

    fn key_package(&mut self, kind: KeyPackageKind) -> Outcome<Vec<u8>> {
        let capabilities = self.capabilities();
        let mut builder = KeyPackage::builder().leaf_node_extensions(self.leaf_extensions()?).leaf_node_capabilities(capabilities.clone());
        let mut credential = self.credential();
        match kind {
            KeyPackageKind::LastResort => builder = builder.mark_as_last_resort(),
            KeyPackageKind::Grease => builder = builder.leaf_node_capabilities(capabilities.with_grease(self.provider.rand())),
            KeyPackageKind::CustomCredential => {
                let kind = CredentialType::Other(0xF100);
                credential.credential = Credential::new(kind, self.client.clone().into_bytes());
                builder = builder.leaf_node_capabilities(Capabilities::builder().credentials(vec![kind, CredentialType::Basic]).build());
            }
            KeyPackageKind::OneTime | KeyPackageKind::DefaultLifetime => {}
        }
        let made = builder.build(self.suite, &self.provider, &self.keys, credential).map_err(library)?;
        encode(&MlsMessageOut::from(made.into_key_package()))
    }

    fn show(&mut self, certificate: Vec<u8>) {
        self.certificate = Some(certificate);
    }

    fn create(&mut self, group: &[u8], mode: Mode, senders: &[Vec<u8>], required: &[u16]) -> Outcome<Founded> {
        let senders = senders
            .iter()
            .map(|sender| ExternalSender::tls_deserialize_exact_bytes(sender))
            .collect::<Result<Vec<_>, _>>()
            .map_err(library)?;
        let required: Vec<_> = required.iter().map(|one| ExtensionType::from(*one)).collect();
        let wanted = Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(&required, &[], &[]));
        let extensions = [Extension::ExternalSenders(senders)].into_iter().chain((!required.is_empty()).then_some(wanted)).collect();
        let made = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(group))
            .ciphersuite(self.suite)
            .with_wire_format_policy(wire_format(mode))
            .set_past_epoch_deletion_policy(PastEpochDeletionPolicy::MaxEpochs(PAST_EPOCHS))
            .use_ratchet_tree_extension(mode == Mode::Private)
            .with_group_context_extensions(Extensions::from_vec(extensions).map_err(library)?)
            .with_capabilities(self.capabilities())
            .with_leaf_node_extensions(self.leaf_extensions()?)
            .map_err(library)?
            .build(&self.provider, &self.keys, self.credential())
            .map_err(library)?;
        let group_info = made.export_group_info(self.provider.crypto(), &self.keys, false).map_err(library)?;
        let founded = Founded { group_info: encode(&group_info)?, tree: Some(encode(&made.export_ratchet_tree())?) };
        self.groups.insert(group.to_vec(), made);
        Ok(founded)
    }

    fn join(&mut self, group: &[u8], mode: Mode, welcome: &[u8], tree: Option<&[u8]>) -> Outcome<()> {
        self.forget(group)?;
        let MlsMessageBodyIn::Welcome(welcome) = decode(welcome)?.extract() else { return Err(library("not a Welcome")) };
        let processed = ProcessedWelcome::new_from_welcome(&self.provider, &config(mode), welcome).map_err(library)?;
        let mut builder = JoinBuilder::new(&self.provider, processed).replace_old_group();
        if let Some(tree) = tree {
            builder = builder.with_ratchet_tree(RatchetTreeIn::tls_deserialize_exact_bytes(tree).map_err(library)?);
        }
        let joined = builder.build().map_err(library)?.into_group(&self.provider).map_err(library)?;
        self.groups.insert(group.to_vec(), joined);
        Ok(())
    }

    /// The library removes a former leaf of the same signature key by itself.
    fn join_externally(&mut self, group: &[u8], mode: Mode, group_info: &[u8], tree: &[u8], _resync: bool) -> Outcome<Bundle> {
        let MlsMessageBodyIn::GroupInfo(info) = decode(group_info)?.extract() else { return Err(library("not a GroupInfo")) };
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(tree).map_err(library)?;
        let (joined, bundle) = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .with_config(config(mode))
            .build_group(&self.provider, info, self.credential())
            .map_err(library)?
            .leaf_node_parameters(self.leaf()?)
            .load_psks(self.provider.storage())
            .map_err(library)?
            .create_group_info(true)
            .use_ratchet_tree_extension(mode == Mode::Private)
            .build(self.provider.rand(), self.provider.crypto(), &self.keys, |_| true)
            .map_err(library)?
            .finalize(&self.provider)
            .map_err(library)?;
        self.joining.insert(group.to_vec(), joined);
        bundle_of(bundle, vec![])
    }

    fn commit(&mut self, group: &[u8], changes: &Changes) -> Outcome<Bundle> {
        let adds = changes.key_packages.iter().map(|bytes| self.checked(bytes)).collect::<Outcome<Vec<_>>>()?;
        let leaf = self.leaf()?;
        let OpenMls { provider, keys, groups, .. } = self;
        let open = opened(groups, group)?;
        let mut leaves = leaves_of(open, &changes.removed);
        leaves.extend(changes.leaves.iter().map(|leaf| LeafNodeIndex::new(*leaf)));
        // The server hands the tree out in public mode; in private mode there is no other way to that of a Commit that waits.
        let private = open.configuration().wire_format_policy() == PURE_CIPHERTEXT_WIRE_FORMAT_POLICY;
        let bundle = open
            .commit_builder()
            .propose_adds(adds)
            .propose_removals(leaves)
            .leaf_node_parameters(leaf)
            .load_psks(provider.storage())
            .map_err(library)?
            .create_group_info(true)
            .use_ratchet_tree_extension(private)
            .build(provider.rand(), provider.crypto(), keys, |_| true)
            .map_err(library)?
            .stage_commit(provider)
            .map_err(library)?;
        let removals = open.pending_commit().into_iter().flat_map(|staged| staged.remove_proposals());
        let removed = removals.filter_map(|one| open.member(one.remove_proposal().removed())).map(name_of).collect();
        bundle_of(bundle, removed)
    }

    fn merge(&mut self, group: &[u8]) -> Outcome<()> {
        if let Some(joined) = self.joining.remove(group) {
            self.groups.insert(group.to_vec(), joined);
            return Ok(());
        }
        let OpenMls { provider, groups, .. } = self;
        opened(groups, group)?.merge_pending_commit(provider).map_err(library)
    }

    fn discard(&mut self, group: &[u8]) -> Outcome<()> {
        if let Some(mut joined) = self.joining.remove(group) {
            return joined.delete(self.provider.storage()).map_err(library);
        }
        let OpenMls { provider, groups, .. } = self;
        opened(groups, group)?.clear_pending_commit(provider.storage()).map_err(library)
    }

    fn propose(&mut self, group: &[u8], proposal: &Proposal) -> Outcome<Vec<u8>> {
        let added = if let Proposal::Add(bytes) = proposal { Some(self.checked(bytes)?) } else { None };
        let leaf = self.leaf()?;
        let OpenMls { provider, keys, groups, .. } = self;
        let open = opened(groups, group)?;
        let (message, _) = match (proposal, added) {
            (Proposal::Remove(client), _) => {
                let leaf = *leaves_of(open, std::slice::from_ref(client)).first().ok_or_else(|| library("no such member"))?;
                open.propose_remove_member(provider, keys, leaf).map_err(library)?
            }
            (_, Some(key_package)) => open.propose_add_member(provider, keys, &key_package).map_err(library)?,
            _ => open.propose_self_update(provider, keys, leaf).map_err(library)?,
        };
        encode(&message)
    }

    fn encrypt(&mut self, group: &[u8], text: &str) -> Outcome<Vec<u8>> {
        let OpenMls { provider, keys, groups, .. } = self;
        encode(&opened(groups, group)?.create_message(provider, keys, text.as_bytes()).map_err(library)?)
    }

    fn process(&mut self, group: &[u8], message: &[u8]) -> Outcome<Event> {
        let OpenMls { provider, groups, waiting, .. } = self;
        let open = opened(groups, group)?;
        let came_in = message;
        let message = decode(message)?.try_into_protocol_message().map_err(library)?;
        let processed = open.process_message(provider, message).map_err(library)?;
        let from = name_of(processed.credential());
        let external = matches!(processed.sender(), Sender::NewMemberCommit);
        match processed.into_content() {
            ProcessedMessageContent::ApplicationMessage(said) => {
                Ok(Event::Text { from, text: String::from_utf8(said.into_bytes()).map_err(library)? })
            }
            ProcessedMessageContent::ProposalMessage(proposal) | ProcessedMessageContent::ExternalJoinProposalMessage(proposal) => {
                waiting.insert(came_in.to_vec(), proposal.proposal_reference_ref().clone());
                open.store_pending_proposal(provider.storage(), *proposal).map_err(library)?;
                Ok(Event::Proposal)
            }
            ProcessedMessageContent::StagedCommitMessage(staged) => {
                open.merge_staged_commit(provider, *staged).map_err(library)?;
                Ok(if open.is_active() { Event::Commit { external } } else { Event::Removed })
            }
            _ => Err(library("an unexpected kind of message")),
        }
    }

    fn leave_out(&mut self, group: &[u8], message: &[u8]) -> Outcome<()> {
        let OpenMls { provider, groups, waiting, .. } = self;
        let reference = waiting.remove(message).ok_or_else(|| library("no such proposal waits"))?;
        opened(groups, group)?.remove_pending_proposal(provider.storage(), &reference).map_err(library)
    }

    fn view(&self, group: &[u8]) -> Outcome<View> {
        let open = self.groups.get(group).ok_or_else(|| library("no such group"))?;
        Ok(View {
            epoch: open.epoch().as_u64(),
            authenticator: open.epoch_authenticator().as_slice().to_vec(),
            members: open.members().map(|member| name_of(&member.credential)).collect(),
            proposals: open.pending_proposals().count(),
        })
    }

    fn leaves(&self, group: &[u8]) -> Outcome<Vec<Leaf>> {
        let open = self.groups.get(group).ok_or_else(|| library("no such group"))?;
        let leaves = open.treesync().full_leaves().map(|(index, leaf)| Leaf {
            index: index.u32(),
            client: name_of(leaf.credential()),
            signature_key: leaf.signature_key().as_slice().to_vec(),
            certificate: leaf.extensions().unknown(LEAF_CERTIFICATE).map(|data| data.0.clone()),
        });
        Ok(leaves.collect())
    }

    fn requires(&self, group: &[u8], extension_type: u16) -> Outcome<bool> {
        let open = self.groups.get(group).ok_or_else(|| library("no such group"))?;
        let required = open.extensions().required_capabilities();
        Ok(required.is_some_and(|required| required.extension_types().contains(&ExtensionType::from(extension_type))))
    }
}

impl OpenMls {
    fn credential(&self) -> CredentialWithKey {
        let credential = BasicCredential::new(self.client.clone().into_bytes()).into();
        CredentialWithKey { credential, signature_key: self.public_key().into() }
    }

    /// The library lists what is default by itself. A KeyPackage's extensions are listed by its leaf (RFC 9420 §10), one of last resort's too.
    fn capabilities(&self) -> Capabilities {
        let own = self.certificate.is_some().then_some(ExtensionType::Unknown(LEAF_CERTIFICATE));
        Capabilities::builder().extensions([ExtensionType::LastResort].into_iter().chain(own).collect()).build()
    }

    fn leaf_extensions(&self) -> Outcome<Extensions<LeafNode>> {
        let carried = self.certificate.iter().map(|data| Extension::Unknown(LEAF_CERTIFICATE, UnknownExtension(data.clone())));
        Extensions::from_vec(carried.collect()).map_err(library)
    }

    /// Of a Commit or an Update. Without a certificate the leaf stays as it is.
    fn leaf(&self) -> Outcome<LeafNodeParameters> {
        if self.certificate.is_none() {
            return Ok(LeafNodeParameters::default());
        }
        Ok(LeafNodeParameters::builder().with_capabilities(self.capabilities()).with_extensions(self.leaf_extensions()?).build())
    }

    fn checked(&self, key_package: &[u8]) -> Outcome<KeyPackage> {
        let MlsMessageBodyIn::KeyPackage(found) = decode(key_package)?.extract() else { return Err(library("not a KeyPackage")) };
        found.validate(self.provider.crypto(), ProtocolVersion::Mls10).map_err(library)
    }

    fn forget(&mut self, group: &[u8]) -> Outcome<()> {
        match self.groups.remove(group) {
            Some(mut former) => former.delete(self.provider.storage()).map_err(library),
            None => Ok(()),
        }
    }
}

fn opened<'a>(groups: &'a mut HashMap<Vec<u8>, MlsGroup>, group: &[u8]) -> Outcome<&'a mut MlsGroup> {
    groups.get_mut(group).ok_or_else(|| library("no such group"))
}

fn leaves_of(group: &MlsGroup, clients: &[String]) -> Vec<LeafNodeIndex> {
    group.members().filter(|member| clients.contains(&name_of(&member.credential))).map(|member| member.index).collect()
}

fn bundle_of(made: CommitMessageBundle, removed: Vec<String>) -> Outcome<Bundle> {
    let (commit, welcome, group_info) = made.into_messages();
    let group_info = group_info.ok_or_else(|| Failure::new("library", "no GroupInfo"))?;
    let welcomes = welcome.iter().map(encode).collect::<Outcome<Vec<_>>>()?;
    Ok(Bundle { commit: encode(&commit)?, welcomes, group_info: encode(&group_info)?, tree: None, removed })
}

fn config(mode: Mode) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(wire_format(mode))
        .use_ratchet_tree_extension(mode == Mode::Private)
        .set_past_epoch_deletion_policy(PastEpochDeletionPolicy::MaxEpochs(PAST_EPOCHS))
        .build()
}

fn wire_format(mode: Mode) -> WireFormatPolicy {
    if mode == Mode::Public { PURE_PLAINTEXT_WIRE_FORMAT_POLICY } else { PURE_CIPHERTEXT_WIRE_FORMAT_POLICY }
}

fn name_of(credential: &Credential) -> String {
    String::from_utf8_lossy(credential.serialized_content()).into_owned()
}

fn encode(message: &impl Serialize) -> Outcome<Vec<u8>> {
    message.tls_serialize_detached().map_err(library)
}

fn decode(message: &[u8]) -> Outcome<MlsMessageIn> {
    MlsMessageIn::tls_deserialize_exact_bytes(message).map_err(library)
}
