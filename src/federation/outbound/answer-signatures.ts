import { Inject, Injectable } from '@nestjs/common'
import { LRUCache } from 'lru-cache'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Events } from '../../platform/observability/events.js'
import { POOL } from '../../platform/postgres/sql.js'
import { checkContentDigest } from '../../protocol/http-signature/content-digest.js'
import type { HttpRequestMessage } from '../../protocol/http-signature/message.js'
import { isFresh } from '../../protocol/http-signature/profile.js'
import { responseSignature } from '../../protocol/http-signature/signed-response.js'
import { peerClockOff } from '../federation.events.js'
import { PeerDirectories } from '../peers/peer-directories.js'
import { noteClock } from '../peers/peers.repository.js'
import type { Answered } from './outcome.js'

/** An answer that the peer has signed. */
export interface PeerAnswered {
  readonly kind: 'answered'
  readonly status: number
  readonly body: Uint8Array
  readonly retryAfter: string | undefined
  /** Type of the problem document, with a refusal. */
  readonly problem: string | undefined
}

/** An answer without a valid signature of the peer, perhaps of a proxy. */
export interface Unsigned {
  readonly kind: 'unsigned'
  readonly status: number
  readonly retryAfter: string | undefined
  readonly detail: string
}

/** The peer has signed its answer, for this request, and by a clock that differs from this server's: it counts for nothing else. */
export interface ClockOff {
  readonly kind: 'clock-off'
  readonly detail: string
  /** Seconds by which its clock is ahead of this server's, negative where it is behind. */
  readonly ahead: number
}

/** One note per peer in this time. */
const NOTE_MS = 10_000
const MAX_REMEMBERED = 10_000

/** Whether an answer is of the peer that was asked, for this request, over this body, and of now. */
@Injectable()
export class AnswerSignatures {
  /** When it was last noted that a peer's clock is off. */
  private readonly noted = new LRUCache<string, { readonly off: boolean; readonly at: number }>({ max: MAX_REMEMBERED })

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'FEDERATION_CLOCK_SKEW'>,
    private readonly directories: PeerDirectories,
    private readonly events: Events,
  ) {}

  /** A proxy on the way may answer instead of the provider: then the outcome is unknown, and only its Retry-After is used. */
  async verified(peer: string, request: HttpRequestMessage, answered: Answered): Promise<PeerAnswered | Unsigned | ClockOff> {
    const { status, headers, body } = answered
    const retryAfter = textOf(headers['retry-after'])
    const unsigned = (detail: string) => ({ kind: 'unsigned', status, retryAfter, detail }) as const
    const claimed = responseSignature({ status, headers, request }, body.length > 0)
    if (claimed.kind === 'faulty') return unsigned(`The answer (${status}) is not signed as it has to be: ${claimed.fault}.`)
    if (claimed.domain !== peer) return unsigned('The answer is signed by another provider.')
    if (!isForUs(headers['mimi-target'], status, this.config.DOMAIN)) return unsigned('The answer is for another provider.')
    if ((body.length > 0 || headers['content-digest'] !== undefined) && (await checkContentDigest(headers, body)) !== 'matches')
      return unsigned('The digest of the answer is not that of its body.')
    const now = new Date()
    const key = await this.directories.key(peer, claimed.keyId, now)
    if (!key || claimed.verify(key) !== 'valid') return unsigned('The signature of the answer does not verify.')
    const seconds = now.getTime() / 1000
    if (!isFresh(claimed, seconds, this.config.FEDERATION_CLOCK_SKEW / 1000)) return this.isOff(peer, claimed.created - Math.floor(seconds))
    await this.isRight(peer)
    return { kind: 'answered', status, body, retryAfter, problem: problemType(textOf(headers['content-type']), body) }
  }

  /** It covers the signature of a request that was made just now, so it cannot be an old one. @param ahead seconds, negative where it is behind */
  private async isOff(peer: string, ahead: number): Promise<ClockOff> {
    if (this.isToNote(peer, true)) {
      await noteClock(this.pool, peer, ahead)
      peerClockOff(this.events, ahead)
    }
    return {
      kind: 'clock-off',
      ahead,
      detail: `Its clock is ${Math.abs(ahead)} seconds ${ahead > 0 ? 'ahead of' : 'behind'} this server's.`,
    }
  }

  /** Also where another node, or this one before its restart, has noted that it is off. */
  private async isRight(peer: string): Promise<void> {
    if (this.isToNote(peer, false)) await noteClock(this.pool, peer, null)
  }

  /** Once in `NOTE_MS`, and at each change. */
  private isToNote(peer: string, off: boolean): boolean {
    const last = this.noted.get(peer)
    if (last?.off === off && performance.now() - last.at < NOTE_MS) return false
    this.noted.set(peer, { off, at: performance.now() })
    return true
  }
}

/** Servers of the release before say `unknown` in refusals that they give before they know who asks; a signature binds those to the request, too. */
function isForUs(target: unknown, status: number, domain: string): boolean {
  return target === domain || (target === 'unknown' && status >= 400)
}

/** A field of several lines is none of those that are read here. */
function textOf(field: unknown): string | undefined {
  return typeof field === 'string' ? field : undefined
}

/** The type of a problem document; other providers may put anything else there. */
function problemType(contentType: string | undefined, body: Uint8Array): string | undefined {
  if (!contentType?.startsWith('application/problem+json')) return undefined
  try {
    const document: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    if (typeof document !== 'object' || document === null || !('type' in document) || typeof document.type !== 'string') return undefined
    return document.type.slice(0, 100)
  } catch {
    return undefined // not JSON
  }
}
