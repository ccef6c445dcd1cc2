import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { externalSendersExtension } from '../../../src/protocol/mls/external-senders.js'
import { digest, HASH_OF_SUITE, type HashAlgorithm } from '../../../src/protocol/mls/hashes.js'
import { signaturePublicKey, signWithLabel } from '../../../src/protocol/mls/signature.js'
import { writeExtensions, type Extension } from '../../../src/protocol/mls/structures/extension.js'
import { makeGroupContext, type GroupContext } from '../../../src/protocol/mls/structures/group-context.js'
import { readLeafNode, type LeafNode } from '../../../src/protocol/mls/structures/leaf-node.js'
import type { Sender } from '../../../src/protocol/mls/structures/public-message.js'
import { applyProposals, takeBlankLeaf } from '../../../src/protocol/public-group/apply-proposals.js'
import { resolveProposals } from '../../../src/protocol/public-group/proposal-list.js'
import type { PublicGroupState } from '../../../src/protocol/public-group/state.js'
import { Tree, TreeDraft } from '../../../src/protocol/public-group/tree.js'
import { filteredDirectPath } from '../../../src/protocol/public-group/update-path.js'
import { decodeWhole, TlsReader } from '../../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { readProposalOrRef } from '../../../src/protocol/mls/structures/proposal.js'
import { writeSender } from './encode.js'
import { decoded, groupInfoMessage, seeded } from './follower.js'

export const SUITE = 1
const ALGORITHM = HASH_OF_SUITE.get(SUITE) as HashAlgorithm
const NOTHING = new Uint8Array()

export interface Key {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
}

export function newKey(): Key {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, publicKey: signaturePublicKey(privateKey) }
}

/** What a forged message may have other than a right one. */
export interface Forgery {
  readonly sender?: Sender
  readonly key?: Key
  readonly groupId?: Uint8Array
  readonly epoch?: bigint
  readonly confirmationTag?: Uint8Array
}

/**
 * A group of keys rather than clients, in which any message can be written and signed, right or wrong. There is no secret to
 * it: HPKE keys, ciphertexts and tags are random bytes, as a server can check none of them.
 */
export class Forge {
  private constructor(
    readonly keys: readonly Key[],
    readonly externalKey: Key,
    readonly state: PublicGroupState,
  ) {}

  static async group(members: number, extensions: Extension[] = []): Promise<Forge> {
    const keys = Array.from({ length: members }, newKey)
    const externalKey = newKey()
    const sender = { signatureKey: externalKey.publicKey, credential: { kind: 'basic', identity: Buffer.from('server') } as const }
    const leaves = await Promise.all(keys.map((key, index) => forgeLeaf(key, `m${index}`, { kind: 'key-package' })))
    const nodes = { leaves, parents: leaves.slice(1).map(() => undefined) }
    const groupContext = makeGroupContext({
      version: 1,
      cipherSuite: SUITE,
      groupId: Buffer.from('forged'),
      epoch: 3n,
      treeHash: Tree.of(ALGORITHM, nodes).hash,
      confirmedTranscriptHash: randomBytes(32),
      extensions: [externalSendersExtension([sender]), ...extensions],
    })
    const groupInfo = groupInfoMessage(await forgeGroupInfo(groupContext, keys[0] as Key, {}))
    return new Forge(keys, externalKey, await seeded(groupInfo, nodes))
  }

  at(state: PublicGroupState): Forge {
    return new Forge(this.keys, this.externalKey, state)
  }

  key(leafIndex: number): Key {
    return this.keys[leafIndex] as Key
  }

  proposal(proposal: Uint8Array, by = 0, forgery: Forgery = {}): Promise<Uint8Array> {
    return this.handshake(new TlsWriter().uint8(2).raw(proposal).written(), by, forgery, undefined)
  }

  /** `proposals` are encoded as ProposalOrRef, `path` as UpdatePath. */
  commit(proposals: readonly Uint8Array[], path: Uint8Array | undefined, by = 0, forgery: Forgery = {}): Promise<Uint8Array> {
    const content = new TlsWriter().uint8(3).vector(proposals, (writer, proposal) => writer.raw(proposal))
    content.optional(path, (writer, bytes) => writer.raw(bytes))
    return this.handshake(content.written(), by, forgery, forgery.confirmationTag ?? randomBytes(32))
  }

  /** The path that a committer at this leaf, or a joiner with this key, has to send with these proposals. */
  async path(
    proposals: readonly Uint8Array[],
    committer: number | Key,
    changes: { nodes?: number; source?: 'update' } = {},
  ): Promise<Uint8Array> {
    const draft = new TreeDraft(this.state.tree)
    const items = proposals.map((bytes) => decoded(decodeWhole(bytes, readProposalOrRef)))
    const sender: Sender = typeof committer === 'number' ? { kind: 'member', leafIndex: committer } : { kind: 'new-member-commit' }
    const resolved = resolveProposals(this.state, { proposals: items, path: undefined }, sender)
    if (resolved.kind === 'resolved') applyProposals(draft, resolved.proposals)

    const leafIndex = typeof committer === 'number' ? committer : (takeBlankLeaf(draft) as number)
    const steps = filteredDirectPath(draft, leafIndex).map((step) => ({ ...step, encryptionKey: randomBytes(32) }))
    let parentHash: Uint8Array = NOTHING
    for (const { encryptionKey, copathChild } of steps.toReversed()) {
      const input = new TlsWriter().opaque(encryptionKey).opaque(parentHash).opaque(draft.hash(copathChild))
      parentHash = digest(ALGORITHM, input.written())
    }
    const [key, name] = typeof committer === 'number' ? [this.key(committer), `m${committer}`] : [committer, 'joiner']
    const source = changes.source === 'update' ? ({ kind: 'update' } as const) : ({ kind: 'commit', parentHash } as const)
    const leaf = await forgeLeaf(key, name, source, { groupId: this.state.groupContext.groupId, leafIndex })
    return new TlsWriter()
      .raw(leaf.bytes)
      .vector(steps.slice(0, changes.nodes), (writer, { encryptionKey }) => writer.opaque(encryptionKey).opaque(NOTHING))
      .written()
  }

  private async handshake(content: Uint8Array, by: number, forgery: Forgery, tag: Uint8Array | undefined): Promise<Uint8Array> {
    const { groupId, epoch, bytes } = this.state.groupContext
    const sender = forgery.sender ?? { kind: 'member', leafIndex: by }
    const header = new TlsWriter()
      .uint32(0x0001_0001)
      .opaque(forgery.groupId ?? groupId)
      .uint64(forgery.epoch ?? epoch)
    const tbs = writeSender(header, sender).opaque(NOTHING).raw(content).written()
    const knowsGroup = sender.kind === 'member' || sender.kind === 'new-member-commit'
    const signed = knowsGroup ? new TlsWriter().raw(tbs).raw(bytes).written() : tbs
    const { privateKey } = forgery.key ?? this.key(by)
    const message = new TlsWriter().raw(tbs).opaque(await signWithLabel(privateKey, 'FramedContentTBS', signed))
    if (tag !== undefined) message.opaque(tag)
    if (sender.kind === 'member') message.opaque(randomBytes(32))
    return message.written()
  }
}

export async function forgeGroupInfo(
  groupContext: GroupContext,
  key: Key,
  { extensions = [] as Extension[], confirmationTag = randomBytes(32) as Uint8Array, signer = 0 },
): Promise<Uint8Array> {
  const tbs = new TlsWriter().raw(groupContext.bytes)
  writeExtensions(tbs, extensions)
  const content = tbs.opaque(confirmationTag).uint32(signer).written()
  const signature = await signWithLabel(key.privateKey, 'GroupInfoTBS', content)
  return new TlsWriter().uint32(0x0001_0004).raw(content).opaque(signature).written()
}

/** A Welcome for these KeyPackageRefs, as an MLSMessage. */
export function forgeWelcome(refs: readonly Uint8Array[], suite = SUITE): Uint8Array {
  const writer = new TlsWriter().uint32(0x0001_0003).uint16(suite)
  writer.vector(refs, (item, ref) => item.opaque(ref).opaque(randomBytes(32)).opaque(randomBytes(48)))
  return writer.opaque(randomBytes(64)).written()
}

type Source = { kind: 'key-package' } | { kind: 'update' } | { kind: 'commit'; parentHash: Uint8Array }

export async function forgeLeaf(
  key: Key,
  name: string,
  source: Source,
  place?: { groupId: Uint8Array; leafIndex: number },
): Promise<LeafNode> {
  const writer = new TlsWriter().opaque(randomBytes(32)).opaque(key.publicKey).uint16(1).opaque(Buffer.from(name))
  for (const list of [[1], [SUITE], [], [0x000a], [1]]) writer.vector(list, (item, value) => item.uint16(value))
  if (source.kind === 'key-package')
    writer
      .uint8(1)
      .uint64(0n)
      .uint64(2n ** 40n)
  else if (source.kind === 'update') writer.uint8(2)
  else writer.uint8(3).opaque(source.parentHash)
  const unsigned = writer.opaque(NOTHING).written()
  const tbs = new TlsWriter().raw(unsigned)
  if (place !== undefined) tbs.opaque(place.groupId).uint32(place.leafIndex)
  const signature = await signWithLabel(key.privateKey, 'LeafNodeTBS', tbs.written())
  return readLeafNode(new TlsReader(new TlsWriter().raw(unsigned).opaque(signature).written()))
}

/** A KeyPackage without framing. */
export async function forgeKeyPackage(key: Key, name: string, suite = SUITE): Promise<Uint8Array> {
  const { bytes } = await forgeLeaf(key, name, { kind: 'key-package' })
  const tbs = new TlsWriter().uint16(1).uint16(suite).opaque(randomBytes(32)).raw(bytes).opaque(NOTHING).written()
  return new TlsWriter()
    .raw(tbs)
    .opaque(await signWithLabel(key.privateKey, 'KeyPackageTBS', tbs))
    .written()
}
