import { Inject, Injectable } from '@nestjs/common'
import { type Config, CONFIG } from '../../platform/config/config.js'
import { TooLarge, Undecodable } from '../../platform/http/problem.js'
import type { GroupInfo } from '../../protocol/mls/structures/group-info.js'
import type { PrivateMessage } from '../../protocol/mls/structures/private-message.js'
import type { PublicMessage } from '../../protocol/mls/structures/public-message.js'
import type { Welcome } from '../../protocol/mls/structures/welcome.js'
import { sha256 } from '../../protocol/sha256.js'
import type { SubmitCommit } from '../groups.dto.js'
import { type EncodedTree, LargeTrees } from '../state/trees/large-trees.js'
import { GroupLocator } from '../home/group-locator.js'
import { decodeAs, refuseOtherGroup } from './mls-input.js'

export type Limits = Pick<Config, 'MAX_COMMIT_BYTES' | 'MAX_GROUP_INFO_BYTES' | 'MAX_TREE_BYTES'>

/** An MLSMessage with a Welcome, and what is in it. */
export interface EncodedWelcome {
  bytes: Uint8Array
  value: Welcome
}
/** An MLSMessage with a GroupInfo, and what is in it. */
export interface EncodedGroupInfo {
  bytes: Uint8Array
  value: GroupInfo
}

/** A Commit and what came with it, decoded; nothing in it is believed yet. */
export interface Bundle {
  commit: { kind: 'public'; message: PublicMessage } | { kind: 'private'; message: PrivateMessage }
  bytes: Uint8Array
  hash: Uint8Array
  epoch: bigint
  welcomes: readonly EncodedWelcome[]
  groupInfo: EncodedGroupInfo | undefined
  /** Decoded when it is asked for, once: that costs far more than the rest, and few may ask for it. */
  tree: (() => Promise<EncodedTree>) | undefined
  removed: readonly string[]
  letGo: readonly string[]
  reinit: boolean
  /** Private mode: the group id that the ReInit announces. */
  successor: Uint8Array | undefined
  joinCode: string | undefined
  /** The incarnation that the sender names. */
  madeIn: number | undefined
}

/** Strict: whatever does not decode as a whole is 422, whatever is too large 413, before anything else is looked at; but for the tree. */
export function decodeBundle(groupId: Uint8Array, body: SubmitCommit, limits: Limits, trees: LargeTrees): Bundle {
  const framed = decodeAs(body.commit, limits.MAX_COMMIT_BYTES, 'commit', 'public-message', 'private-message')
  refuseOtherGroup(groupId, framed.body, 'commit')
  return {
    commit: commitOf(framed),
    bytes: body.commit,
    hash: sha256(body.commit),
    epoch: framed.body.epoch,
    welcomes: decodeWelcomes(body.welcomes ?? [], limits),
    groupInfo: body.group_info && decodeGroupInfo(body.group_info, limits),
    tree: body.ratchet_tree && treeLater(body.ratchet_tree, limits, trees),
    removed: body.removed ?? [],
    letGo: body.let_go ?? [],
    reinit: body.reinit ?? false,
    successor: body.reinit ? body.successor : undefined,
    joinCode: body.join_code,
    madeIn: body.incarnation,
  }
}

function commitOf(framed: ReturnType<typeof decodeAs<'public-message' | 'private-message'>>): Bundle['commit'] {
  if (framed.wireFormat === 'public-message') {
    if (framed.body.content.kind !== 'commit') throw new Undecodable('The commit is a Proposal.')
    return { kind: 'public', message: framed.body }
  }
  if (framed.body.contentType !== 'commit') throw new Undecodable(`The commit has the content type ${framed.body.contentType}.`)
  return { kind: 'private', message: framed.body }
}

/** @param welcomes MLSMessages, together at most MAX_COMMIT_BYTES. @throws TooLarge, Undecodable */
export function decodeWelcomes(welcomes: readonly Uint8Array[], limits: Pick<Limits, 'MAX_COMMIT_BYTES'>): EncodedWelcome[] {
  const total = welcomes.reduce((sum, { length }) => sum + length, 0)
  if (total > limits.MAX_COMMIT_BYTES) throw new TooLarge('The welcomes are too large together.', limits.MAX_COMMIT_BYTES)
  return welcomes.map((bytes) => ({ bytes, value: decodeAs(bytes, limits.MAX_COMMIT_BYTES, 'welcome', 'welcome').body }))
}

/** @param bytes an MLSMessage of at most MAX_GROUP_INFO_BYTES. @throws TooLarge, Undecodable */
export function decodeGroupInfo(bytes: Uint8Array, limits: Pick<Limits, 'MAX_GROUP_INFO_BYTES'>): EncodedGroupInfo {
  return { bytes, value: decodeAs(bytes, limits.MAX_GROUP_INFO_BYTES, 'group_info', 'group-info').body }
}

function treeLater(bytes: Uint8Array, limits: Pick<Limits, 'MAX_TREE_BYTES'>, trees: LargeTrees): () => Promise<EncodedTree> {
  refuseLargeTree(bytes, limits)
  let decoded: Promise<EncodedTree> | undefined
  return () => (decoded ??= decodeTree(bytes, limits, trees))
}

function refuseLargeTree(bytes: Uint8Array, limits: Pick<Limits, 'MAX_TREE_BYTES'>): void {
  if (bytes.length > limits.MAX_TREE_BYTES) throw new TooLarge('The ratchet_tree is too large.', limits.MAX_TREE_BYTES)
}

/** @param bytes `optional<Node> ratchet_tree<V>` (RFC 9420 §12.4.3.3), at most MAX_TREE_BYTES. @throws TooLarge, Undecodable */
export async function decodeTree(bytes: Uint8Array, limits: Pick<Limits, 'MAX_TREE_BYTES'>, trees: LargeTrees): Promise<EncodedTree> {
  refuseLargeTree(bytes, limits)
  const decoded = await trees.decode(bytes)
  if (decoded.kind === 'malformed') throw new Undecodable(`The ratchet_tree does not decode: ${decoded.reason}.`)
  return { bytes, nodes: decoded.value }
}

/** Decodes what comes with a Commit within this server's limits, large trees off the event loop and only when asked for. */
@Injectable()
export class Bundles {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly trees: LargeTrees,
    private readonly locator: GroupLocator,
  ) {}

  /** @param user who pays for a large tree, by URI @param groupId the address */
  async decode(user: string, groupId: Uint8Array, body: SubmitCommit): Promise<Bundle> {
    const bundle = decodeBundle(await this.locator.mlsIdOf(groupId), body, this.config, this.trees)
    const { tree } = bundle
    return tree ? { ...bundle, tree: () => this.trees.chargeTo(user, tree) } : bundle
  }
}
