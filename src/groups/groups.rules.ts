import { CERTIFICATE_RULES, type CertificateRule } from '../authentication/directory/leaf-certificates.js'
import { RULES, type RuleName } from '../protocol/mls/rules.js'

/**
 * Rules that need more than the messages themselves: the directory, the policy and mode of the group, what the server handed out.
 * Listed with the others in docs/mls-rules.md.
 */
export const GROUP_RULES = {
  'wire-format-of-mode': ['6', 'Members’ handshakes are PublicMessages in a public group and PrivateMessages in a private one.'],
  'credential-unknown': ['5.3.1', 'A leaf’s credential names a device of the directory.'],
  'credential-changed': ['5.3.1', 'A changed leaf still names the same device.'],
  'credential-revoked': ['5.3.1', 'A new or changed leaf is not of a device that was revoked.'],
  'credential-key': ['5.3.1', 'A new or changed leaf’s signature key is registered for its device.'],
  'one-leaf-per-client': ['12.2', 'Nobody is added who has a leaf in the group already.'],
  'external-commit-remove': ['12.4.3.2', 'A joiner removes its own former leaf and no other.'],
  'welcome-unknown-ref': ['12.4.3.1', 'Where the server sees no Add, a Welcome is for KeyPackages that this server handed out.'],
  'key-package-used': [
    '10',
    'A KeyPackage that is not of last resort brings its client into one group, once; one of another provider’s user into a group of the room that it was claimed for, once for each claim.',
  ],
  'let-go': ['12.1.3', 'Who is let go by a Commit had asked to leave, or was revoked.'],
  'group-info-missing': ['12.4.3', 'Where external joins are on, each Commit brings the GroupInfo of its epoch.'],
  'group-info-external-pub': ['12.4.3.2', 'Where external joins are on, a GroupInfo has an external_pub.'],
  'group-info-group-id': ['12.4.3', 'A GroupInfo is of the group it is submitted for.'],
  'group-info-epoch': ['12.4.3', 'A GroupInfo is of the epoch it is submitted for.'],
  'group-info-cipher-suite': ['12.4.3', 'A GroupInfo is of the group’s suite.'],
  'ratchet-tree-extension': ['12.4.3.3', 'A ratchet_tree extension holds a tree.'],
  'ratchet-tree-missing': ['12.4.3.3', 'Where a tree is needed, it comes with the request or inside the GroupInfo.'],
  'group-info-tree': ['12.4.3.3', 'A private group’s GroupInfo that has a ratchet_tree has the one that the server serves.'],
  'one-founding-member': ['11', 'A new group has one member, which is the device that creates it.'],
  'group-id-length': ['8.1', 'A group id has 1 to 255 bytes here.'],
  'founding-leaves': ['11', 'At epoch 1 the creator has the first leaf and signs, and all others have one that came in a KeyPackage.'],
  'founding-members': [
    '11.2',
    'At epoch 1 all are members of the group before, and none is leaving it; after a ReInit, they are all of its members.',
  ],
  'reinit-mismatch': ['11.2', 'A successor has the group id and the suite that the ReInit announced, and at epoch 1 its extensions.'],
  'branch-mismatch': ['11.3', 'A branch has the suite of the group that it branches from.'],
} as const satisfies Record<string, readonly [section: string, says: string]>

export type CommitRule = RuleName | keyof typeof GROUP_RULES | CertificateRule

/** Its section and what it says. */
export function ruleOf(name: CommitRule): readonly [section: string, says: string] {
  return { ...RULES, ...GROUP_RULES, ...CERTIFICATE_RULES }[name]
}
