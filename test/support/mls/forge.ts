import { randomBytes } from 'node:crypto'
import { externalSendersExtension } from '../../../src/protocol/mls/external-senders.js'
import { HASH_OF_SUITE, hashBytes, type HashAlgorithm } from '../../../src/protocol/mls/hashes.js'
import { kemOutputBytes } from '../../../src/protocol/mls/hpke-key.js'
import { signWithLabel } from '../../../src/protocol/mls/signature.js'
import { writeExtensions, type Extension } from '../../../src/protocol/mls/structures/extension.js'
import { makeGroupContext, type GroupContext } from '../../../src/protocol/mls/structures/group-info.js'
import type { Sender } from '../../../src/protocol/mls/structures/public-message.js'
import type { PublicGroupState } from '../../../src/protocol/public-group/state.js'
import { Tree } from '../../../src/protocol/public-group/tree/tree.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { writeSender } from './encode.js'
import { groupInfoMessage, seeded } from './follower.js'
import { newKey, SUITE, type Key } from './forge-keys.js'
import { forgeLeaf, type LeafChanges } from './forge-leaf.js'
import { forgePath, type PathChanges } from './forge-path.js'

export { newKey } from './forge-keys.js'
export { forgeKeyPackage, forgeLeaf } from './forge-leaf.js'

/** What a forged message may have other than a right one. */
export interface Forgery {
  readonly sender?: Sender
  readonly key?: Key
  readonly groupId?: Uint8Array
  readonly epoch?: bigint
  readonly confirmationTag?: Uint8Array
  readonly membershipTag?: Uint8Array
  readonly authenticatedData?: Uint8Array
}

/** What a forged group may have other than the usual one. */
export interface GroupChanges {
  readonly suite?: number
  readonly epoch?: bigint
  /** Changes by leaf index. */
  readonly leaf?: (leafIndex: number) => LeafChanges
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

  static async group(members: number, extensions: Extension[] = [], changes: GroupChanges = {}): Promise<Forge> {
    const { suite = SUITE, epoch = 3n } = changes
    const keys = Array.from({ length: members }, () => newKey(suite))
    const externalKey = newKey(suite)
    const sender = { signatureKey: externalKey.publicKey, credential: { kind: 'basic', identity: Buffer.from('server') } as const }
    const leaves = await Promise.all(
      keys.map((key, at) => forgeLeaf(key, `m${at}`, { kind: 'key-package' }, undefined, { suite, ...changes.leaf?.(at) })),
    )
    const nodes = { leaves, parents: leaves.slice(1).map(() => undefined) }
    const groupContext = makeGroupContext({
      version: 1,
      cipherSuite: suite,
      groupId: Buffer.from('forged'),
      epoch,
      treeHash: Tree.of(HASH_OF_SUITE.get(suite) as HashAlgorithm, nodes).hash,
      confirmedTranscriptHash: randomBytes(epoch === 0n ? 0 : hashBytes(suite)),
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
    return this.handshake(content.written(), by, forgery, forgery.confirmationTag ?? this.tag())
  }

  /** The path that a committer at this leaf, or a joiner with this key, has to send with these proposals. */
  path(proposals: readonly Uint8Array[], committer: number | Key, changes: PathChanges = {}): Promise<Uint8Array> {
    const who =
      typeof committer === 'number'
        ? { key: this.key(committer), name: `m${committer}`, leafIndex: committer }
        : { key: committer, name: 'joiner', leafIndex: undefined }
    return forgePath(this.state, proposals, who, changes)
  }

  private async handshake(content: Uint8Array, by: number, forgery: Forgery, tag: Uint8Array | undefined): Promise<Uint8Array> {
    const { groupId, epoch, bytes } = this.state.groupContext
    const sender = forgery.sender ?? { kind: 'member', leafIndex: by }
    const header = new TlsWriter()
      .uint32(0x0001_0001)
      .opaque(forgery.groupId ?? groupId)
      .uint64(forgery.epoch ?? epoch)
    const tbs = writeSender(header, sender)
      .opaque(forgery.authenticatedData ?? new Uint8Array())
      .raw(content)
      .written()
    const knowsGroup = sender.kind === 'member' || sender.kind === 'new-member-commit'
    const signed = knowsGroup ? new TlsWriter().raw(tbs).raw(bytes).written() : tbs
    const { privateKey } = forgery.key ?? this.key(by)
    const message = new TlsWriter().raw(tbs).opaque(await signWithLabel(privateKey, 'FramedContentTBS', signed))
    if (tag !== undefined) message.opaque(tag)
    if (sender.kind === 'member') message.opaque(forgery.membershipTag ?? this.tag())
    return message.written()
  }

  private tag(): Uint8Array {
    return randomBytes(hashBytes(this.state.groupContext.cipherSuite))
  }
}

export interface GroupInfoChanges {
  readonly extensions?: readonly Extension[]
  readonly confirmationTag?: Uint8Array
  readonly signer?: number
}

export async function forgeGroupInfo(groupContext: GroupContext, key: Key, changes: GroupInfoChanges): Promise<Uint8Array> {
  const { extensions = [], confirmationTag = randomBytes(hashBytes(groupContext.cipherSuite)), signer = 0 } = changes
  const tbs = new TlsWriter().raw(groupContext.bytes)
  writeExtensions(tbs, extensions)
  const content = tbs.opaque(confirmationTag).uint32(signer).written()
  const signature = await signWithLabel(key.privateKey, 'GroupInfoTBS', content)
  return new TlsWriter().uint32(0x0001_0004).raw(content).opaque(signature).written()
}

/** A Welcome for these KeyPackageRefs, as an MLSMessage. */
export function forgeWelcome(
  refs: readonly Uint8Array[],
  suite = SUITE,
  kemOutput = kemOutputBytes(suite) ?? 0,
  groupInfo = 64,
): Uint8Array {
  const writer = new TlsWriter().uint32(0x0001_0003).uint16(suite)
  writer.vector(refs, (item, ref) => item.opaque(ref).opaque(randomBytes(kemOutput)).opaque(randomBytes(48)))
  return writer.opaque(randomBytes(groupInfo)).written()
}
