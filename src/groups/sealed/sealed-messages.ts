import type { KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import type { AppendOutcome } from '../../delivery/append/append.repository.js'
import { Appender } from '../../delivery/append/appender.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest, Undecodable } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { POOL } from '../../platform/postgres/sql.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { memberProof } from '../../protocol/sealed/member-proof.js'
import { senderKey } from '../../protocol/sealed/sender-key.js'
import { sha256 } from '../../protocol/sha256.js'
import { Redemption } from '../../tokens/redemption.js'
import type { Accepted } from '../groups.dto.js'
import { EpochAhead, GroupFrozen, IncarnationChanged, StaleEpoch } from '../groups.problems.js'
import { namedIncarnation } from '../../platform/http/named-incarnation.js'
import { decodeAs, refuseOtherGroup } from '../input/mls-input.js'
import { findGroupByGid } from '../repository/groups.repository.js'
import { StorageFull } from '../usage/storage-full.js'
import { unmarkOverQuota } from '../usage/usage.repository.js'
import { CommitRequired, MemberProofRefused } from './sealed.problems.js'
import { standingOfPost, type PostQuestion } from './sender-keys.repository.js'

/** Attempts with one token: a caller without a good token has no attempts at all. */
const ATTEMPTS_PER_TOKEN = { name: 'sealed-token', points: 20, seconds: 60 }
const UNKNOWN = 'no member has published this key for this group and epoch'

/** A post without a sender, as it came. */
export interface SealedPost {
  /** Its signature covers parts of it. */
  readonly request: HttpRequestMessage
  /** In MLS, and in the address. */
  readonly groupId: Uint8Array
  /** The epoch in the address. */
  readonly epoch: bigint
  /** MLSMessage */
  readonly bytes: Uint8Array
}

/**
 * Application messages of which the server cannot know who sent them (§9). It learns that somebody has an account somewhere, by the
 * token, and that somebody is a member at this epoch, by the proof; neither says who, and nothing here asks the connection.
 */
@Injectable()
export class SealedMessages {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG)
    private readonly config: Pick<Config, 'MAX_MESSAGE_BYTES' | 'MAX_PAST_EPOCHS' | 'SEALED_MESSAGES_PER_MINUTE' | 'ACCOUNT_MAX_BYTES'>,
    private readonly limits: Limits,
    private readonly redemption: Redemption,
    private readonly appender: Appender,
  ) {}

  /** From cheap to dear; nothing is stored for a post that is refused, and its token is not spent. */
  async submit(post: SealedPost): Promise<Accepted> {
    const { groupId, epoch, bytes } = post
    const madeIn = namedIncarnation(post.request.headers)
    const presented = await this.redemption.presented(authorizationOf(post))
    this.expectMessage(post)
    const { publicKey, holds } = await proofOf(post)
    const token = await this.redemption.verified(presented)
    await this.limits.take(ATTEMPTS_PER_TOKEN, Buffer.from(token.nonce).toString('base64url'))
    if (!holds()) throw new MemberProofRefused('the signature does not verify')
    const hash = sha256(bytes)
    const gid = await this.allowed({ groupId, epoch, publicKey, hash, ...token })
    const sealed = { senderKey: publicKey, ...token }
    const sent = { gid, deviceId: null, sealed, epoch, madeIn, hash, bytes }
    let outcome = await this.appender.append(sent)
    if (outcome.kind === 'full' && (await unmarkOverQuota(this.pool, gid, this.config.ACCOUNT_MAX_BYTES)))
      outcome = await this.appender.append(sent)
    if (!('chain' in outcome)) throw await this.refusal(gid, outcome)
    return outcome
  }

  /**
   * The group, if a post would be taken as things stand: only then it counts against the group's limit, or a removed member could use
   * that up for those who are in.
   */
  private async allowed(post: PostQuestion): Promise<bigint> {
    const found = await standingOfPost(this.pool, post, this.config.MAX_PAST_EPOCHS)
    if (found?.known) return found.gid
    if (!found?.published) throw new MemberProofRefused(UNKNOWN)
    if (found.frozen) throw new GroupFrozen(found.frozen, found.successorGroupId)
    if (post.epoch < found.floor) throw new StaleEpoch(found.currentEpoch, found.incarnation, [])
    if (found.pending) throw new CommitRequired(found.currentEpoch)
    if (found.spent) throw await this.redemption.spent()
    await this.limits.take({ name: 'sealed-group', points: this.config.SEALED_MESSAGES_PER_MINUTE, seconds: 60 }, String(found.gid))
    return found.gid
  }

  private expectMessage({ groupId, epoch, bytes }: SealedPost): void {
    const { body } = decodeAs(bytes, this.config.MAX_MESSAGE_BYTES, 'message', 'private-message')
    if (body.contentType !== 'application') throw new Undecodable('Only application messages are posted without a sender.')
    refuseOtherGroup(groupId, body, 'message')
    if (body.epoch !== epoch) throw new InvalidRequest('The epoch of the message is not the epoch in the address.')
  }

  private async refusal(gid: bigint, outcome: AppendOutcome): Promise<Error> {
    switch (outcome.kind) {
      case 'token-spent':
        return this.redemption.spent()
      case 'commit-required':
        return new CommitRequired(outcome.currentEpoch)
      case 'stale':
        return new StaleEpoch(outcome.currentEpoch, outcome.incarnation, [])
      case 'incarnation':
        return new IncarnationChanged(outcome.incarnation, outcome.currentEpoch)
      case 'ahead':
        return new EpochAhead(outcome.currentEpoch)
      case 'full':
        return new StorageFull('group')
      case 'frozen': {
        const group = await findGroupByGid(this.pool, gid)
        return new GroupFrozen(group?.frozen ?? 'reset', group?.successorGroupId ?? null)
      }
      default:
        return new MemberProofRefused(UNKNOWN)
    }
  }
}

/** All members of an epoch sign with the same key, and making the object of one takes as long as using it. */
const KEYS = {
  known: new LRUCache<string, KeyObject>({ max: 10_000 }),
  get(publicKey: Uint8Array): KeyObject | undefined {
    const name = Buffer.from(publicKey).toString('latin1')
    const key = this.known.get(name) ?? senderKey(publicKey)
    if (key) this.known.set(name, key)
    return key
  },
}

async function proofOf({ request, bytes }: SealedPost) {
  if ((await checkContentDigest(request.headers, bytes)) !== 'matches')
    throw new MemberProofRefused('Content-Digest is not that of the body')
  const proof = memberProof(request, (publicKey) => KEYS.get(publicKey))
  if (proof.kind === 'faulty') throw new MemberProofRefused(proof.why)
  return proof
}

function authorizationOf({ request }: SealedPost): string | undefined {
  const { authorization } = request.headers
  return typeof authorization === 'string' ? authorization : undefined
}
