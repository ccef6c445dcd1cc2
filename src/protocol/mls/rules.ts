/**
 * Every rule that a handshake, a GroupInfo, a KeyPackage or a tree can break in this layer: its name, which clients act on and
 * which therefore stays, the section that defines it (of RFC 9420 unless it names another document), and what it says. The page
 * docs/mls-rules.md is this table, and test/protocol/negative/ has at least one message for each that breaks it alone.
 */
export const RULES = {
  // Framing
  'content-type': ['6', 'The message is of the kind it was submitted as: a Proposal or a Commit.'],
  'group-id': ['6', 'The message is of this group.'],
  epoch: ['12.4.2', 'The message is of the group’s current epoch.'],
  'epoch-exhausted': ['8.1', 'The epoch that a Commit opens is a number of 64 bits.'],
  'sender-content': ['6.1', 'A sender outside the group sends only what its kind may: a Commit, an Add of itself, or what §12.1.8 lists.'],
  'sender-is-member': ['6.1', 'A member’s leaf index is that of a leaf which is not blank.'],
  'external-sender': ['12.1.8.1', 'An external sender’s index is one of the group’s external_senders.'],
  'membership-tag': ['6.2', 'A membership tag is as long as the suite’s hash.'],
  'confirmation-tag': ['6.1', 'A confirmation tag is as long as the suite’s hash.'],
  signature: ['6.1', 'The signature is the sender’s, over the message and, for members and joiners, over the GroupContext.'],

  // Single proposals
  'pending-proposals': ['12.4', 'No more proposals wait for a Commit than the server keeps.'],
  'key-package-size': ['10', 'The KeyPackage of an Add is no larger than one that could be published.'],
  'add-cipher-suite': ['10.1', 'An Add’s KeyPackage is for the group’s suite and version.'],
  'update-encryption-key': ['7.3', 'An Update brings another encryption key than the leaf had.'],
  'remove-member': ['12.1.3', 'A Remove names a leaf that is not blank.'],
  'psk-nonce': ['12.1.4', 'A PSK’s nonce is as long as the suite’s hash.'],
  'psk-usage': [
    '12.1.4',
    'A resumption PSK for a reinitialization or a branch is used only by the first Commit of a group, and not by an external one.',
  ],
  'reinit-version': ['12.1.5', 'A ReInit does not go back to an older version.'],
  'external-init-by-value': ['12.1.6', 'An ExternalInit comes only inside an external Commit.'],
  'external-init-kem-output': ['12.1.6', 'An ExternalInit’s kem_output is a public key of the suite’s KEM.'],
  'proposal-type-supported': ['12.2', 'Every member that processes it lists a proposal type that is not a default one.'],
  'app-data-update-component': [
    'draft-ietf-mls-extensions',
    'An AppDataUpdate is a removal, or of a component whose updates the server can apply: participant_list and room_metadata of MIMI.',
  ],
  'app-data-update-fits': [
    'draft-ietf-mimi-protocol-06',
    'The group has an app_data_dictionary; an update of its participant list is of users who are there, and names each user once; and the data has at most 65,536 bytes before and after.',
  ],
  'app-data-update-absent': ['draft-ietf-mls-extensions', 'An AppDataUpdate removes only data that is there.'],

  // Lists of proposals
  'proposal-reference': ['12.4', 'A reference is to a proposal of this epoch.'],
  'proposal-reference-repeated': ['12.2', 'A Commit holds each reference once.'],
  'too-many-adds': ['12.2', 'A Commit adds no more members than the server takes at once.'],
  'one-change-per-leaf': ['12.2', 'No two Updates, Removes or SelfRemoves are of one leaf.'],
  'add-init-key': ['10.1', 'No two Adds have one init key.'],
  'psk-repeated': ['12.2', 'No two PSK proposals have one PreSharedKeyID.'],
  'psk-usage-once': ['12.4.3.1', 'At most one PSK is for a reinitialization or a branch.'],
  'app-data-update-repeated': ['draft-ietf-mls-extensions', 'No two AppDataUpdates are of one component.'],
  'app-data-dictionary-kept': [
    'draft-ietf-mls-extensions',
    'Where AppDataUpdate is required, GroupContextExtensions leaves app_data_dictionary as it was.',
  ],
  'path-required': ['12.4', 'A Commit has a path if it holds no proposal, or one of a type that requires it.'],
  'self-remove-by-reference': ['draft-ietf-mls-extensions', 'A SelfRemove is committed by reference, as its sender’s own message.'],
  'external-init-of-member': ['12.2', 'A member’s Commit holds no ExternalInit.'],
  'update-by-committer': ['12.2', 'A Commit holds no Update of its committer.'],
  'remove-committer': ['12.2', 'A Commit does not remove its committer.'],
  'one-group-context-extensions': ['12.2', 'A Commit replaces the group’s extensions at most once.'],
  'reinit-alone': ['12.2', 'A ReInit is the only proposal of its Commit.'],

  // External Commits
  'external-commit-path': ['12.4.3.2', 'An external Commit has a path.'],
  'external-commit-proposals': [
    '12.2',
    'An external Commit holds ExternalInit, one Remove, PSKs, SelfRemoves and application data, nothing else.',
  ],
  'external-commit-by-value': ['12.4.3.2', 'An external Commit refers to no proposal but SelfRemoves.'],
  'external-commit-one-init': ['12.2', 'An external Commit holds exactly one ExternalInit.'],
  'external-commit-one-remove': ['12.2', 'An external Commit holds at most one Remove.'],
  'external-commit-leaf-key': ['12.2', 'A joiner that removes its former leaf brings another encryption key, as an Update has to.'],

  // Leaves
  'leaf-node-source': ['7.3', 'A leaf was made for the place where it stands: a KeyPackage, an Update or a Commit.'],
  'leaf-node-hpke-key': ['10', 'A leaf’s encryption key is a usable key of the suite.'],
  'leaf-node-capabilities': ['7.2', 'A leaf lists its version, its suite and the type of its credential.'],
  'leaf-node-extensions': ['7.3', 'A leaf lists the types of its extensions.'],
  'leaf-node-extension-place': ['17.3', 'A leaf has no extension that belongs to a GroupContext or a GroupInfo.'],
  'leaf-node-application-id': ['5.3.3', 'An application_id is one vector of bytes.'],
  'leaf-node-lifetime': ['7.3', 'A KeyPackage’s leaf is valid now, and for no longer than the server allows.'],
  'leaf-node-signature': ['7.3', 'A leaf is signed by its own key, and for its place in this group if it was made there.'],
  'leaf-node-required-capabilities': ['7.3', 'A leaf lists what the group’s required_capabilities require.'],
  'leaf-node-group-extensions': ['13.4', 'A leaf lists the types of the group’s extensions.'],
  'leaf-node-knows-credentials': ['7.3', 'A leaf lists every credential type in use in the group.'],
  'credential-known-to-members': ['7.3', 'Every member lists the type of a new leaf’s credential.'],
  'leaf-node-signature-key': ['7.3', 'No two members have one signature key.'],
  'leaf-node-encryption-key': ['7.3', 'No leaf has the encryption key of another node.'],

  // The group’s extensions
  'group-context-extension-place': ['17.3', 'A GroupContext has no extension that belongs to a leaf or a GroupInfo.'],
  'required-capabilities': ['11.1', 'A required_capabilities extension is three lists of types.'],
  'external-senders': ['12.1.8.1', 'An external_senders extension is a list of keys and credentials.'],
  'app-data-dictionary': ['draft-ietf-mls-extensions', 'An app_data_dictionary is sorted by component, and has each once.'],
  'group-extensions-members': ['13.4', 'Every member lists the types of the group’s new extensions.'],
  'required-capabilities-members': ['12.1.7', 'Every member lists what new required_capabilities require.'],

  // Paths
  'update-path-length': ['7.6', 'A path has one node for each of the committer’s filtered direct path.'],
  'update-path-hpke-key': ['7.6', 'Each key of a path is a usable key of the suite.'],
  'update-path-ciphertexts': ['7.6', 'A path secret is encrypted once for each node of the copath’s resolution, new members left out.'],
  'update-path-ciphertext-size': ['7.6', 'An encrypted path secret is as long as the suite makes it.'],
  'update-path-keys': ['12.4.2', 'No key of a path is in the tree already.'],
  'update-path-keys-distinct': ['12.4.3.1', 'No two nodes of a path have one key.'],
  'update-path-parent-hash': ['7.9.2', 'The path’s leaf carries the parent hash of the path.'],
  'tree-size': ['7.7', 'A tree has no more leaves than the server takes.'],

  // What comes with a Commit
  'welcome-cipher-suite': ['12.4.3.1', 'A Welcome is of the group’s suite.'],
  'welcome-members': ['12.4.3.1', 'The Welcomes together hold one secret for each new member, and no other.'],
  'welcome-kem-output': ['12.4.3.1', 'A Welcome’s kem_outputs are as long as the suite’s KEM makes them.'],
  'welcome-empty': ['12.4.3.1', 'A Welcome holds a secret for at least one new member.'],
  'welcome-group-info': ['12.4.3.1', 'A Welcome’s encrypted_group_info is no shorter than the tag of an AEAD.'],
  'group-info-without-tree': [
    '12.4.3.3',
    'A public group’s GroupInfo has no ratchet_tree extension, as the server serves the tree: make it without one (docs/interop.md says how in each library).',
  ],
  'group-info-context': ['12.4.3', 'The GroupInfo’s GroupContext is that of the epoch the Commit opens.'],
  'group-info-confirmation-tag': ['12.4.3', 'The GroupInfo’s confirmation tag is the Commit’s.'],
  'group-info-signer': ['12.4.3.1', 'The GroupInfo’s signer is the committer.'],
  'group-info-signature': ['12.4.3', 'The GroupInfo is signed by the key of its signer’s leaf.'],
  'external-pub': ['12.4.3.2', 'An external_pub is one usable key of the suite.'],

  // A group as a GroupInfo and a tree describe it
  'cipher-suite': [
    '17.1',
    'A group that the server looks into is of one of the suites 1 to 7; a private group without external joins may be of any.',
  ],
  'tree-hash': ['12.4.3.1', 'The tree is the one that the GroupContext names.'],
  'confirmed-transcript-hash': ['8.2', 'The confirmed transcript hash is empty at epoch 0 and as long as the suite’s hash later.'],
  'parent-node-hpke-key': ['7.1', 'A parent node’s encryption key is a usable key of the suite.'],
  'parent-node-key': ['12.4.3.1', 'A parent node’s key is that of no other node.'],
  'parent-hash': ['7.9.2', 'Each parent node chains back to one leaf below it by parent hashes.'],
  'unmerged-leaf': ['12.4.3.1', 'An unmerged leaf is a leaf below the node that lists it, and not blank.'],
  'unmerged-leaf-throughout': ['12.4.3.1', 'Every node between an unmerged leaf and one that lists it lists it too.'],

  // KeyPackages
  'key-package-cipher-suite': ['10.1', 'A KeyPackage is of version 1, and of one of the suites 1 to 7 or one whose hash the upload names.'],
  'key-package-init-key-shape': ['10', 'A KeyPackage’s init key is a usable key of its suite.'],
  'key-package-init-key': ['10.1', 'A KeyPackage’s init key is not its encryption key.'],
  'key-package-signature': ['10.1', 'A KeyPackage is signed by the key of its leaf.'],
} as const satisfies Record<string, readonly [section: string, says: string]>

/** The stable names, which clients act on. */
export type RuleName = keyof typeof RULES

/** Why something was refused: the rule's stable name, for clients to act on, and where it stands. */
export interface BrokenRule {
  readonly rule: RuleName
  /** Section of RFC 9420 unless it names another document, e.g. '7.3'. */
  readonly section: string
}

/** That a rule is broken, with its section from the table. */
export function broken(rule: RuleName): BrokenRule {
  return { rule, section: RULES[rule][0] }
}

/** What every rule function answers: undefined where the rule holds, otherwise which one it is. */
export function brokenUnless(holds: boolean, rule: RuleName): BrokenRule | undefined {
  return holds ? undefined : broken(rule)
}
