import {
  createApplicationMessage,
  createCommit,
  createGroupInfoWithExternalPub,
  createProposal,
  decodeMlsMessage,
  encodeMlsMessage,
  makePskIndex,
  processPrivateMessage,
  processPublicMessage,
  type ClientState,
  type CiphersuiteImpl,
  type Proposal,
  type PublicMessage,
  type RatchetTree,
} from 'ts-mls'
import { processProposal } from 'ts-mls/clientState.js'
import { encodeGroupInfo } from 'ts-mls/groupInfo.js'
import { unprotectPublicMessage } from 'ts-mls/messageProtectionPublic.js'
import { encodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { encodeWelcome } from 'ts-mls/welcome.js'
import { opaque } from './codec.js'
import type { CommitBundle, Fanout } from './room-bodies.js'
import { externalSenderKeys, identityOf } from './suite.js'

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export interface Member {
  readonly client: string
  readonly leafIndex: number
}

export function membersOf(tree: RatchetTree): Member[] {
  return tree.flatMap((node, index) =>
    node?.nodeType === 'leaf' ? [{ client: identityOf(node.leaf.credential), leafIndex: index / 2 }] : [],
  )
}

/** A group as one client is in it. Handshakes are PublicMessages, which the hub reads. */
export class MlsGroup {
  readonly texts: string[] = []
  /** Why messages could not be read. */
  readonly failures: string[] = []
  standing: 'member' | 'removed' = 'member'
  #pending: { readonly message: string; readonly next: ClientState } | undefined
  readonly #sent = new Map<string, string | undefined>()

  constructor(
    readonly client: string,
    private state: ClientState,
    private readonly impl: CiphersuiteImpl,
  ) {}

  get epoch(): number {
    return Number(this.state.groupContext.epoch)
  }
  get groupId(): Uint8Array {
    return this.state.groupContext.groupId
  }
  get members(): Member[] {
    return membersOf(this.state.ratchetTree)
  }
  get tree(): RatchetTree {
    return this.state.ratchetTree
  }
  get waiting(): number {
    return Object.keys(this.state.unappliedProposals).length
  }
  /** Equal at all members of an epoch, and only then. */
  get authenticator(): string {
    return hexOf(this.state.keySchedule.epochAuthenticator)
  }

  /** What a member can tell an outsider of its epoch. */
  async publicInfo(): Promise<{ groupInfo: Uint8Array; tree: Uint8Array }> {
    return { groupInfo: await groupInfoOf(this.state, this.impl), tree: encodeRatchetTree(this.state.ratchetTree) }
  }

  /** A Commit of what waits and of `proposals`, for the hub. It counts once the hub has accepted it. */
  async commit(proposals: readonly Proposal[], withTree = true): Promise<CommitBundle> {
    const { impl } = this
    const options = { wireAsPublicMessage: true, ratchetTreeExtension: false, extraProposals: [...proposals] }
    const made = await createCommit({ state: this.state, cipherSuite: impl, pskIndex: makePskIndex(this.state, {}) }, options)
    const message = encodeMlsMessage(made.commit)
    this.#pending = { message: hexOf(message), next: made.newState }
    return {
      kind: 'commit',
      message,
      welcome: made.welcome && encodeWelcome(made.welcome),
      groupInfo: await groupInfoOf(made.newState, impl),
      tree: withTree ? encodeRatchetTree(made.newState.ratchetTree) : undefined,
    }
  }

  /** The hub has accepted the Commit, or another one came first. */
  settle(accepted: boolean): void {
    if (accepted && this.#pending) this.state = this.#pending.next
    this.#pending = undefined
  }

  async propose(proposal: Proposal): Promise<Uint8Array> {
    const made = await createProposal(this.state, true, proposal, this.impl)
    const message = encodeMlsMessage(made.message)
    this.state = made.newState
    this.#sent.set(hexOf(message), undefined)
    return message
  }

  /** A text as an MLSMessage. */
  async encrypt(text: string): Promise<Uint8Array> {
    const made = await createApplicationMessage(this.state, new Uint8Array(Buffer.from(text)), this.impl)
    this.state = made.newState
    const message = encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage: made.privateMessage })
    this.#sent.set(hexOf(message), text)
    return message
  }

  /** What the hub fans out. A text of this client's own counts when it comes back, in its place in the order. */
  async receive({ message, others = [] }: Fanout): Promise<void> {
    for (const one of [message, ...others]) await this.#receiveOne(one).catch((error: unknown) => this.failures.push(String(error)))
  }

  async #receiveOne(message: Uint8Array): Promise<void> {
    const key = hexOf(message)
    if (this.#pending?.message === key) return this.settle(true)
    if (this.#sent.has(key)) return this.#confirm(key)
    const decoded = decodeMlsMessage(message, 0)?.[0]
    if (decoded?.wireformat === 'mls_public_message') return this.#receiveHandshake(decoded.publicMessage)
    if (decoded?.wireformat !== 'mls_private_message') throw new Error('Neither a PublicMessage nor a PrivateMessage')
    const read = await processPrivateMessage(this.state, decoded.privateMessage, makePskIndex(this.state, {}), this.impl)
    this.state = read.newState
    if (read.kind === 'applicationMessage') this.texts.push(Buffer.from(read.message).toString())
  }

  #confirm(key: string): void {
    const text = this.#sent.get(key)
    this.#sent.delete(key)
    if (text !== undefined) this.texts.push(text)
  }

  async #receiveHandshake(message: PublicMessage): Promise<void> {
    // Of an epoch that is over here already: the Commit that brought this client in, or its own.
    if (message.content.epoch < this.state.groupContext.epoch) return
    if (message.content.sender.senderType === 'external') return this.#receiveExternal(message, message.content.sender.senderIndex)
    const read = await processPublicMessage(this.state, message, makePskIndex(this.state, {}), this.impl)
    this.state = read.newState
    if (message.content.contentType !== 'commit') return
    this.#pending = undefined
    if (this.state.groupActiveState.kind === 'removedFromGroup') this.standing = 'removed'
  }

  /** A Proposal of the hub or of another provider. ts-mls reads external_senders as one bare struct, so its key is found here. */
  async #receiveExternal(message: PublicMessage, index: number): Promise<void> {
    const { groupContext, keySchedule, ratchetTree } = this.state
    const extension = groupContext.extensions.find(({ extensionType }) => extensionType === 'external_senders')
    const key = extension && externalSenderKeys(extension.extensionData)[index]
    if (!key) throw new Error(`No external sender ${index}`)
    const read = await unprotectPublicMessage(keySchedule.membershipKey, groupContext, ratchetTree, message, this.impl, key)
    if (read.content.contentType !== 'proposal') throw new Error('An external sender may only propose')
    this.state = await processProposal(this.state, read, read.content.proposal, this.impl.hash)
  }
}

/** A GroupInfo for external joiners, with external_pub as the vector that RFC 9420 §12.4.3.2 has: ts-mls writes the bare key. */
export async function groupInfoOf(state: ClientState, impl: CiphersuiteImpl): Promise<Uint8Array> {
  const exportPublicKey: typeof impl.hpke.exportPublicKey = async (key) => opaque(await impl.hpke.exportPublicKey(key))
  return encodeGroupInfo(await createGroupInfoWithExternalPub(state, [], { ...impl, hpke: { ...impl.hpke, exportPublicKey } }))
}
