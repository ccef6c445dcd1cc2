import { ECDH } from 'node:crypto'
import type { Forgery } from '../../support/mls/forge.js'
import { Forge, forgeKeyPackage, forgeLeaf, newKey } from '../../support/mls/forge.js'
import type { KeyPackageChanges, LeafChanges } from '../../support/mls/forge-leaf.js'
import { byReference, byValue, proposals } from '../../support/mls/proposals.js'
import {
  group,
  judgeCommit,
  judgeProposal,
  once,
  requiredCapabilities,
  waiting,
  type NegativeCase,
  type Verdict,
} from './forged-group-fixture.js'

const OTHER_CREDENTIAL = { kind: 'other', type: 0xf001, data: new Uint8Array(2) } as const
const X25519_ZERO = new Uint8Array(32)

const demanding = once(() => Forge.group(3, [requiredCapabilities({ extensions: [5, 0xf000], proposals: [1, 0x000a], credentials: [1] })]))
const extended = once(() => Forge.group(3, [{ type: 0xf000, data: new Uint8Array() }]))
/** All know a type of credential that none has. */
const openMinded = once(() => Forge.group(3, [], { leaf: () => ({ capabilities: { credentials: [1, 0xf001] } }) }))
/** The last member has a credential that all of them know. */
const mixed = once(() =>
  Forge.group(3, [], {
    leaf: (at) => ({ capabilities: { credentials: [1, 0xf001] }, ...(at === 2 ? { credential: OTHER_CREDENTIAL } : {}) }),
  }),
)

/** An Update that waits, and the Commit of another member that refers to it. */
async function committed(leaf: (forge: Forge) => LeafChanges): Promise<Verdict> {
  const before = await group()
  const place = { groupId: before.state.groupContext.groupId, leafIndex: 2 }
  const updated = await forgeLeaf(before.key(2), 'm2', { kind: 'update' }, place, leaf(before))
  const { forge, ref } = await waiting(before, proposals.update(updated), 2)
  return judgeCommit(forge, [byReference(ref)])
}

const CURVES: readonly (readonly [suite: number, curve: string])[] = [
  [2, 'prime256v1'],
  [5, 'secp521r1'],
  [7, 'secp384r1'],
]

/** Another encoding of the same key (SEC 1 §2.3.3). */
function compressed(key: Uint8Array, curve: string): Uint8Array {
  return new Uint8Array(ECDH.convertKey(key, curve, undefined, undefined, 'compressed') as Buffer)
}

/** Judges an Add without a path, as the committer's new leaf would have to fit as well. */
async function add(forge: Forge, changes: KeyPackageChanges, key = newKey()): Promise<Verdict> {
  const items = [byValue(proposals.add(await forgeKeyPackage(key, 'new', 1, changes)))]
  const lifetimes = { now: new Date(1_000_000), maxLifetime: 2 ** 41 }
  return judgeCommit(forge, items, { path: null, bundle: { lifetimes } })
}

function addOf(leaf: LeafChanges): () => Promise<Verdict> {
  return async () => add(await group(), { leaf })
}

async function update(forge: Forge, leaf: LeafChanges, at = 2, forgery: Forgery = {}): Promise<Verdict> {
  const place = { groupId: forge.state.groupContext.groupId, leafIndex: at }
  return judgeProposal(forge, proposals.update(await forgeLeaf(forge.key(2), 'm2', { kind: 'update' }, place, leaf)), 2, forgery)
}

const byItself: NegativeCase[] = [
  {
    rule: 'leaf-node-source',
    title: 'in a KeyPackage, made for an Update',
    verdict: async () => add(await group(), { source: { kind: 'update' } }),
  },
  {
    rule: 'leaf-node-source',
    title: 'in an Update, made for a KeyPackage',
    verdict: async () => {
      const forge = await group()
      return judgeProposal(forge, proposals.update(await forgeLeaf(forge.key(2), 'm2', { kind: 'key-package' })), 2)
    },
  },
  { rule: 'leaf-node-hpke-key', title: 'of an encryption key of small order', verdict: addOf({ encryptionKey: X25519_ZERO }) },
  { rule: 'leaf-node-hpke-key', title: 'of an encryption key of another curve', verdict: addOf({ encryptionKey: new Uint8Array(65) }) },
  { rule: 'leaf-node-hpke-key', title: 'in an Update', verdict: async () => update(await group(), { encryptionKey: X25519_ZERO }) },
  {
    rule: 'leaf-node-hpke-key',
    title: 'in a path',
    verdict: async () => judgeCommit(await group(), [], { path: { leaf: { encryptionKey: X25519_ZERO } } }),
  },
  { rule: 'leaf-node-capabilities', title: 'that does not list its version', verdict: addOf({ capabilities: { versions: [2] } }) },
  {
    rule: 'leaf-node-capabilities',
    title: 'that does not list its suite',
    verdict: addOf({ capabilities: { cipherSuites: [2, 0x0a0a] } }),
  },
  {
    rule: 'leaf-node-capabilities',
    title: 'that does not list its credential type',
    verdict: async () => add(await openMinded(), { leaf: { credential: OTHER_CREDENTIAL } }),
  },
  {
    rule: 'leaf-node-extensions',
    title: 'of an extension that it does not list',
    verdict: addOf({ extensions: [{ type: 0xf00f, data: new Uint8Array() }] }),
  },
  { rule: 'leaf-node-extension-place', title: 'with required_capabilities', verdict: addOf({ extensions: [requiredCapabilities({})] }) },
  {
    rule: 'leaf-node-extension-place',
    title: 'in a path, with external_pub',
    verdict: async () => judgeCommit(await group(), [], { path: { leaf: { extensions: [{ type: 4, data: new Uint8Array(1) }] } } }),
  },
  {
    rule: 'leaf-node-application-id',
    title: 'with an application_id that is no vector',
    verdict: addOf({ extensions: [{ type: 1, data: Buffer.of(5, 1) }] }),
  },
  { rule: 'leaf-node-lifetime', title: 'that is not valid yet', verdict: addOf({ lifetime: [1_001n, 2_000n] }) },
  { rule: 'leaf-node-lifetime', title: 'that has expired', verdict: addOf({ lifetime: [0n, 999n] }) },
  { rule: 'leaf-node-lifetime', title: 'that lives too long', verdict: addOf({ lifetime: [0n, 2n ** 41n + 1n] }) },
  { rule: 'leaf-node-signature', title: 'in a KeyPackage, signed by another key', verdict: addOf({ signedBy: newKey() }) },
  {
    rule: 'leaf-node-signature',
    title: 'in an Update, signed by another key',
    verdict: async () => update(await group(), { signedBy: newKey() }),
  },
  { rule: 'leaf-node-signature', title: 'in an Update, signed for another leaf', verdict: async () => update(await group(), {}, 3) },
  {
    rule: 'leaf-node-signature',
    title: 'in an Update that waits, found when it is committed',
    verdict: async () => {
      const before = await group()
      const leaf = await forgeLeaf(before.key(2), 'm2', { kind: 'update' }, { groupId: Buffer.from('other'), leafIndex: 2 })
      const { forge, ref } = await waiting(before, proposals.update(leaf), 2)
      return judgeCommit(forge, [byReference(ref)])
    },
  },
  {
    rule: 'leaf-node-signature',
    title: 'in a path, signed for another leaf',
    verdict: async () => judgeCommit(await group(), [], { path: { leafIndex: 1 } }),
  },
]

const amongMembers: NegativeCase[] = [
  ...(
    [
      ['extension', { extensions: [] }],
      ['proposal', { proposals: [] }],
    ] as const
  ).map(([what, capabilities]): NegativeCase => ({
    rule: 'leaf-node-required-capabilities',
    title: `of a new member that does not list a required ${what}`,
    verdict: async () => add(await demanding(), { leaf: { capabilities } }),
  })),
  {
    rule: 'leaf-node-required-capabilities',
    title: 'of a path that does not list a required proposal',
    verdict: async () => judgeCommit(await demanding(), [], { path: { leaf: { capabilities: { proposals: [0x1a1a] } } } }),
  },
  {
    rule: 'leaf-node-group-extensions',
    title: 'of a new member that does not list an extension of the group',
    verdict: async () => add(await extended(), { leaf: { capabilities: { extensions: [0x0a0a] } } }),
  },
  {
    rule: 'leaf-node-group-extensions',
    title: 'of a committer that does not list the extension it gives the group',
    verdict: async () => {
      const items = [byValue(proposals.groupContextExtensions([{ type: 0xf000, data: new Uint8Array() }]))]
      return judgeCommit(await group(), items, { path: { leaf: { capabilities: { extensions: [] } } } })
    },
  },
  {
    rule: 'leaf-node-knows-credentials',
    title: 'of a new member that does not list a member’s credential type',
    verdict: async () => add(await mixed(), {}),
  },
  {
    rule: 'credential-known-to-members',
    title: 'of a credential type that a member does not list',
    verdict: async () => add(await group(), { leaf: { credential: OTHER_CREDENTIAL, capabilities: { credentials: [1, 0xf001] } } }),
  },
  {
    rule: 'leaf-node-signature-key',
    title: 'of a new member with a member’s signature key',
    verdict: async () => {
      const forge = await group()
      return add(forge, {}, forge.key(2))
    },
  },
  {
    rule: 'leaf-node-signature-key',
    title: 'of a path with another member’s signature key',
    verdict: async () => {
      const forge = await group()
      const { publicKey } = forge.key(3)
      return judgeCommit(forge, [], { path: { leaf: { signatureKey: publicKey, signedBy: forge.key(3) } } })
    },
  },
  {
    rule: 'leaf-node-signature-key',
    title: 'of an Update with another member’s signature key',
    verdict: () => committed((forge) => ({ signatureKey: forge.key(3).publicKey, signedBy: forge.key(3) })),
  },
  ...CURVES.map(([suite, curve]): NegativeCase => ({
    rule: 'leaf-node-signature-key',
    title: `of a new member with a member’s signature key, encoded in the other way, suite ${suite}`,
    verdict: async () => {
      const forge = await Forge.group(3, [], { suite })
      const signatureKey = compressed(forge.key(2).publicKey, curve)
      const keyPackage = await forgeKeyPackage(forge.key(2), 'new', suite, { leaf: { signatureKey } })
      return judgeCommit(forge, [byValue(proposals.add(keyPackage))], { path: null })
    },
  })),
  {
    rule: 'leaf-node-encryption-key',
    title: 'of an Update with another member’s encryption key',
    verdict: () => committed((forge) => ({ encryptionKey: forge.state.tree.leaf(3)!.encryptionKey })),
  },
  {
    rule: 'leaf-node-encryption-key',
    title: 'of a new member with a member’s encryption key',
    verdict: async () => {
      const forge = await group()
      return add(forge, { leaf: { encryptionKey: forge.state.tree.leaf(2)!.encryptionKey } })
    },
  },
  {
    rule: 'leaf-node-encryption-key',
    title: 'of a new member with the key of a parent node',
    verdict: async () => {
      const forge = await group()
      const encryptionKey = forge.state.tree.parent(1)!.encryptionKey
      return add(forge, { leaf: { encryptionKey } })
    },
  },
]

/** RFC 9420 §7.2, §7.3. */
export const leafNodeCases = [...byItself, ...amongMembers]
