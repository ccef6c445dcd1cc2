import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Caller } from '../../../authentication/session/caller.js'
import { encodeCbor } from '../../../platform/http/encode.js'
import { Problem, Unavailable } from '../../../platform/http/problem.js'
import { problemDocument } from '../../../platform/http/problem-document.js'
import { problemFor } from '../../../platform/http/send-problem.js'
import { failureCodeOf, failureOf } from '../../../platform/postgres/failures.js'
import { numberOf } from '../../../platform/limits/described-limit.js'
import { hex } from '../../../protocol/bytes.js'
import { encodeFrame, type PostFrame } from '../../../protocol/frames.js'
import type { DeliveryMetrics } from '../../delivery-metrics.js'
import type { Connection } from '../../socket/connection.js'
import type { Intake } from '../../socket/intake.js'
import { STREAM_POSTS } from '../../socket/stream-limits.js'
import type { Posts } from './posts.js'

/** What the posts of one stream need from it. */
export interface PostHost {
  readonly caller: Caller
  readonly connection: Pick<Connection, 'hasRoom' | 'sendEncoded'>
  readonly intake: Pick<Intake, 'charge' | 'resume'>
  readonly log: Logger
  /** @throws Problem 401 if the caller's session has ended since the stream was opened */
  checkSession(): Promise<void>
}

interface Waiting {
  readonly frame: PostFrame
  readonly bytes: number
}

/** A post that takes longer is one that waits for another server. */
const SLOW_MS = 1_000
/** With as many slow ones, a group that has one of them gets no more. */
const MOST_SLOW = 8
/** Of `STREAM_POSTS`, with the slow ones: fewer than one device may have requests in flight. */
const MOST_TIMES = 1.5

/**
 * The posts of one stream. A few are under way at once; while others wait, nothing more is read from the client, so that no more wait than
 * came in one piece of what it sent.
 */
export class PostQueue {
  private readonly waiting: Waiting[] = []
  /** Without those that take long. */
  private underWay = 0
  /** Groups of posts that take long, one for each post. */
  private slow: string[] = []

  constructor(
    private readonly posts: Posts,
    private readonly host: PostHost,
    private readonly metrics: DeliveryMetrics,
  ) {}

  get hasRoom(): boolean {
    return this.waiting.length === 0 && this.mayBegin
  }

  private get mayBegin(): boolean {
    const most = numberOf(STREAM_POSTS)
    return this.underWay < most && this.underWay + this.slow.length < most * MOST_TIMES && this.host.connection.hasRoom
  }

  push(frame: PostFrame, bytes: number): void {
    this.waiting.push({ frame, bytes })
    this.goOn()
  }

  /** Begins what may begin; to be called when the client has read answers, too. */
  goOn(): void {
    while (this.mayBegin) {
      const next = this.waiting.shift()
      if (!next) return this.host.intake.resume()
      this.begin(next, hex(next.frame.group_id))
    }
  }

  /** A hub that does not answer must not stop the posts to other groups: a slow post frees its place, and where many of a group are slow, more are refused. */
  private begin(next: Waiting, group: string): void {
    if (this.slow.length >= MOST_SLOW && this.slow.includes(group)) {
      this.host.intake.charge(next.bytes)
      return this.refuse(next.frame.id, new Unavailable('Earlier posts to this group have no answer yet.', SLOW_MS / 1_000))
    }
    this.underWay += 1
    let isSlow = false
    const timer = setTimeout(() => {
      isSlow = true
      this.underWay -= 1
      this.slow.push(group)
      this.goOn()
    }, SLOW_MS)
    timer.unref()
    void this.answer(next).finally(() => {
      clearTimeout(timer)
      if (isSlow) this.slow.splice(this.slow.indexOf(group), 1)
      else this.underWay -= 1
      this.goOn()
    })
  }

  /** What has not begun is dropped: the client sends it again when it is back. */
  drop(): void {
    this.waiting.length = 0
  }

  /** Never rejects. */
  private async answer({ frame, bytes }: Waiting): Promise<void> {
    try {
      const accepted = await this.accept(frame, bytes)
      this.metrics.posts.inc({ status: 200 })
      this.host.connection.sendEncoded(encodeFrame({ t: 'posted', id: frame.id, ...accepted }))
    } catch (error) {
      this.host.intake.charge(bytes)
      this.refuse(frame.id, error)
    }
  }

  private async accept(frame: PostFrame, bytes: number) {
    const admitted = this.posts.admit(this.host.caller, bytes)
    try {
      await this.host.checkSession()
      return await this.posts.submit(this.host.caller, frame)
    } finally {
      admitted?.release()
    }
  }

  private refuse(id: number, error: unknown): void {
    const request = randomUUID()
    const known = problemFor(error)
    if (!known) this.host.log.error({ request_id: request, err: error }, 'a post over a stream failed')
    // Not the error: PostgreSQL's message quotes the value.
    if (failureOf(error) === 'input')
      this.host.log.warn({ request_id: request, code: failureCodeOf(error) }, 'only PostgreSQL refused a value')
    const problem = known ?? new Problem(500, 'internal', 'The server failed. `instance` names this post in its log.')
    this.metrics.posts.inc({ status: problem.status })
    const { retryAfter } = problem
    const retry = retryAfter === undefined ? {} : { retry_after: retryAfter }
    // Problems carry entries of the log, and with them numbers and bytes as answers over HTTP do.
    this.host.connection.sendEncoded(encodeCbor({ t: 'refused', id, ...retry, problem: problemDocument(problem, request) }))
  }
}
