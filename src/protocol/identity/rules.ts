/**
 * Every rule that a device list, its head or a certificate in a leaf can break: its name, which clients act on and which therefore stays, and what
 * it says. docs/identity.md has the same table, and a test keeps the two alike.
 */
export const IDENTITY_RULES = {
  // Entries (§2)
  'entry-encoding': 'The entry decodes strictly, with nothing after it.',
  'entry-user': 'All entries name one user, and the user is the one that was asked for.',
  'entry-number': 'Entries are numbered 1, 2, 3, … without a gap, up to 1,024.',
  'entry-previous': '`previous` is the hash of the entry before.',
  'entry-time': '`time` is not before that of the entry before. The server also refuses a time more than five minutes ahead of its clock.',
  'entry-first': 'Entry 1 is of type `identity`, names itself as `signer`, and no other entry is of that type.',
  'identity-key': 'The identity key is a sound Ed25519 or P-256 key.',
  'entry-signer': 'The signer is the identity key, or a certificate that is active at the entry and valid at its `time`.',
  'entry-right':
    'The signer has the right: `enrol` for a certificate, `revoke` for a revocation. A holder may always revoke itself. The identity key has all rights.',
  'entry-signature': 'The signature is the signer’s.',
  'certificate-subject': 'A device’s client URI is one of this user; a passkey names its RP ID; a recovery key nothing.',
  'certificate-keys':
    'The keys are sound, their number fits the kind, and none of them was in the list before, except in the certificate of the same device that this one replaces.',
  'certificate-rights': '`rights` has no unknown bit. Recovery keys and passkeys have `enrol` at most.',
  'certificate-validity': '`not_before` < `not_after`; a device’s certificate lasts 400 days at most, others 4,000.',
  'certificate-number': 'No more than 64 certificates are active at once.',
  'revocation-target': 'The revoked entry is a certificate, and active.',

  // Heads (§3)
  'head-encoding': 'The head decodes strictly, with nothing after it.',
  'head-user': 'The head is of the user of the list.',
  'head-entry': '`number` and `hash` are those of the last entry.',
  'head-signer': 'The signer is active now, and valid at `issued_at`.',
  'head-right': 'The signer has the right `attest`.',
  'head-validity': '`issued_at` < `expires_at` ≤ `issued_at` + 60 days; `issued_at` is not before the last entry’s `time`.',
  'head-signature': 'The signature is the signer’s.',

  // Leaves (§4)
  'device-certificate':
    'The extension decodes, every signature in it holds, every entry is certified by the one before it, and all are of the credential’s user.',
  'device-certificate-leaf':
    'The last certificate is of a device, of the credential’s client URI, names the leaf’s signature key, and is valid now.',

  // What the server asks besides (§2)
  'device-registered': 'A certificate of a device is of one that is registered and active, or that the same request adds.',
  'device-keys': 'A certificate of a device names keys that are registered for it; of a device or key that is added, all of them.',
  'devices-certified': 'Every active device of the account has an active certificate.',
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
