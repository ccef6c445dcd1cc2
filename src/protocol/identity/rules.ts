/**
 * Every rule that a device list, its head or a certificate in a leaf can break: its name, which clients act on and which therefore stays, and what
 * it says. docs/identity.md has the same table, and a test keeps the two alike.
 */
export const IDENTITY_RULES = {
  // Entries (docs/identity.md §2), in the order in which they are checked: the first that is broken names the refusal
  'entry-encoding': 'The entry decodes strictly, has version 1 and at most 16,384 bytes, and nothing follows it.',
  'entry-user': 'All entries name one user, by a user URI, and the user is the one that was asked for.',
  'entry-number':
    'Entries are numbered 1, 2, 3, … without a gap. Certificates have numbers up to 864, those by recovery signers up to 960.',
  'entry-previous': '`previous` is the hash of the entry before; empty in entry 1.',
  'entry-time':
    '`time` is not before that of the entry before, and not more than a day ahead of the reader’s clock. The server takes what is within five minutes of its own.',
  'entry-first': 'Entry 1 is of type `identity`, names itself as `signer`, and no other entry is of that type.',
  'identity-key': 'The identity key is a sound Ed25519 or P-256 key.',
  'entry-signer':
    'The signer is the identity key, or a certificate that is active at the entry and valid at its `time`. A certificate that ended by its time at most 90 days ago still signs its own replacement.',
  'entry-right':
    'The signer has the right: `enrol` for a certificate, `revoke` for a revocation. The identity key has all rights. Anybody may revoke or replace itself.',
  'certificate-subject':
    'A device’s client URI is one of this user, and was not in the list before, except in the certificate that this one replaces; a passkey names its RP ID; a recovery key nothing.',
  'certificate-replaced': 'A certificate for a client URI that has an active one is signed by that one, and gives no right that it lacks.',
  'certificate-rights':
    '`rights` has no unknown bit, and none that the signer lacks, unless the signer is the identity key, a recovery key or a passkey. Recovery keys and passkeys have `enrol` at most.',
  'certificate-validity': '`not_before` < `not_after`; a device’s certificate lasts 400 days at most, others 4,000.',
  'certificate-number':
    'With this certificate no more than 24 are active at once, with one by a recovery signer no more than 32. One that replaces another is not asked.',
  'revocation-target':
    'The revoked entry is a certificate that is active, or entry 1, whose key only revokes itself; `since` is 0 or the number of an entry before this one.',
  'entry-signature': 'The signature is the signer’s.',
  'certificate-keys':
    'There are as many keys as the kind has, none twice. The first is a sound Ed25519 or P-256 key, and the others are sound if their scheme is known. None was in the list before, except in the certificate that this one replaces.',
  'certificate-possession': 'Each key whose scheme is known has signed its possession.',

  // Heads (docs/identity.md §3), in the order in which they are checked
  'head-encoding': 'The head decodes strictly, has version 1, and nothing follows it.',
  'head-user': 'The head is of the user of the list.',
  'head-entry': '`number` and `hash` are those of the last entry.',
  'head-validity':
    '`issued_at` < `expires_at` ≤ `issued_at` + 30 days; `issued_at` is not before the last entry’s `time`, and not more than a day ahead of the reader’s clock.',
  'head-signer': 'The signer is active now, and valid at `issued_at`.',
  'head-right': 'The signer has the right `attest`.',
  'head-signature': 'The signature is the signer’s.',

  // Leaves (docs/identity.md §4)
  'device-certificate':
    'The extension decodes, its `identity` is that of the user’s list, its `certificate` is an entry of that list, and `list_number` and `list_hash` are not of another one.',
  'device-certificate-leaf':
    'The certificate is of a device, of the credential’s client URI, names the leaf’s signature key, and is valid now.',
  'device-certificate-current':
    'The certificate is active, or was replaced at most 7 days ago, by the `time` of the entry that did so; also one that is found by the leaf’s key.',

  // What the server asks besides (docs/identity.md §2)
  'device-registered': 'A certificate of a device is of one that is registered and active, or that the same request adds.',
  'device-keys': 'A certificate of a device names keys that are registered for it; of a device or key that is added, all of them.',
  'device-certified': 'A device that is added, gets a key, or begins the identity, gets a certificate with it.',
  'passkey-rp-id': 'The RP ID of a new passkey is one of those that the server names, if it names any.',
  'passkey-attestation':
    'A new passkey has an attestation where the server asks for one. One that is given is of this key and RP ID, answers a challenge of this client that is not spent, and comes from an authenticator that the server trusts.',
} as const satisfies Record<string, string>

export type IdentityRule = keyof typeof IDENTITY_RULES

/** What a check answers. */
export type Checked<T> = { readonly kind: 'valid'; readonly value: T } | { readonly kind: 'broken'; readonly rule: IdentityRule }

/** That a rule is broken. */
export function broken(rule: IdentityRule): { kind: 'broken'; rule: IdentityRule } {
  return { kind: 'broken', rule }
}

/** That all rules hold. */
export function valid<T>(value: T): { kind: 'valid'; value: T } {
  return { kind: 'valid', value }
}
