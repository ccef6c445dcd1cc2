import type { Logger } from 'pino'
import type { RawData } from 'ws'
import type { Caller } from '../../authentication/session/caller.js'
import { CloseCode, decodeClientFrame, type ClientFrame, type Position } from '../../protocol/frames.js'
import type { DeviceNews } from '../interest.js'
import type { Connection } from '../socket/connection.js'
import type { FrameWorth, Intake } from '../socket/intake.js'
import { InboxQueue } from './inbox-queue.js'
import { Lanes } from './lanes/lanes.js'
import { PostQueue } from './posts/post-queue.js'
import type { StreamResources } from './stream-resources.js'
import { StreamSession, type SessionHost } from './stream-session.js'

const RETRY_MS = 1_000

/** What a stream asks of the server that opened it. */
export interface StreamHost extends SessionHost {
  log: Logger
  /** A client has entries past the end of a log. */
  lost(): void
}

/**
 * One device's stream: memberships, then the inbox, then the logs; backfill, cut-over, live (§7). Everything that may
 * have to be done is marked and done in turns, one at a time, so that no step sees another half-way.
 */
export class Stream {
  private readonly lanes: Lanes
  private readonly inbox: InboxQueue
  private readonly session: StreamSession
  private readonly posts: PostQueue
  /** The client has sent a frame. */
  private heard = false
  private started = false
  private live = false
  private turning = false
  private again = false
  private stalled: NodeJS.Timeout | undefined
  private timer: NodeJS.Timeout | undefined

  constructor(
    readonly caller: Caller,
    private readonly intake: Intake,
    private readonly connection: Connection,
    private readonly node: StreamResources,
    private readonly host: StreamHost,
  ) {
    this.lanes = new Lanes(caller.deviceId, connection, node, { wake: () => this.wake(), lost: () => host.lost() })
    this.inbox = new InboxQueue(caller.deviceId, connection, node)
    this.session = new StreamSession(caller, node, host, {
      expiring: (at) => connection.send({ t: 'token-expiring', expires_at: Math.floor(at.getTime() / 1000) }),
      ended: (code, reason) => this.close(code, reason),
    })
    const checkSession = () => this.session.check()
    this.posts = new PostQueue(node.settings.posts, { caller, connection, intake, checkSession, log: host.log }, node.metrics)
    connection.onRoom = () => {
      this.wake()
      this.posts.goOn()
    }
  }

  /** Sends `hello` and waits a moment for the client's own positions. */
  open(): void {
    const { heartbeatMs, maxUnacked, resumeGraceMs } = this.node.settings
    this.intake.onFrame = (data, isBinary) => this.receive(data, isBinary)
    this.intake.onFlood = (limit) => {
      this.node.metrics.limitsRefused.inc({ limit })
      this.close(CloseCode.policy, 'more frames than a stream may send')
    }
    this.intake.hasRoom = () => this.posts.hasRoom
    this.intake.onPause = () => this.node.metrics.readingPaused.inc()
    this.intake.open()
    this.connection.send({ t: 'hello', heartbeat: Math.ceil(heartbeatMs / 1000), max_unacked: maxUnacked })
    this.session.begin()
    this.timer = setTimeout(() => this.start(), resumeGraceMs).unref()
  }

  close(code: number, reason: string): void {
    if (!this.connection.isOpen) return
    this.node.metrics.streamsClosed.inc({ code: String(code) })
    this.connection.close(code, reason)
    this.dispose()
  }

  /** News of the device by hint or sweep; displacement is the registry's. */
  onNews(news: DeviceNews): void {
    if (news.kind === 'revoked') return this.close(CloseCode.revoked, 'device revoked')
    // Looked up again: an old hint may be repeated, and the device may have logged in since.
    if (news.kind === 'session-ended')
      return void this.session.lookUp().catch((error: unknown) => this.host.log.warn({ err: error }, 'a session could not be checked'))
    if (news.kind === 'swept') {
      this.session.noteGeneration(news.generation)
      // A new Welcome, or one that was acknowledged elsewhere: its log can be read now.
      if (this.inbox.swept(news.inboxIds)) this.lanes.stale = true
    } else {
      if (news.kind === 'inbox') this.inbox.touch()
      this.lanes.stale = true
    }
    this.wake()
  }

  private start(): void {
    clearTimeout(this.timer)
    if (this.started) return
    this.started = true
    this.wake()
  }

  private receive(data: RawData, isBinary: boolean): FrameWorth {
    if (!this.connection.isOpen) return 'charged'
    const decoded = isBinary && data instanceof Buffer ? decodeClientFrame(data) : { kind: 'malformed' as const, reason: 'not binary' }
    if (decoded.kind === 'malformed') {
      this.close(CloseCode.badFrame, decoded.reason)
      return 'charged'
    }
    this.node.metrics.framesReceived.inc({ kind: decoded.frame.t })
    const worth = this.act(decoded.frame, (data as Buffer).byteLength)
    this.heard = true
    this.start()
    return worth
  }

  private act(frame: ClientFrame, bytes: number): FrameWorth {
    switch (frame.t) {
      case 'resume':
        if (this.heard) this.close(CloseCode.badFrame, 'resume comes first')
        else if (this.started) this.lanes.resumeLate(frame.positions)
        else this.lanes.resume(frame.positions)
        break
      case 'ack':
        return this.acknowledge(frame.acks)
      case 'inbox-ack':
        return this.acknowledgeInbox(frame.ids)
      case 'post':
        this.posts.push(frame, bytes)
        return 'progress' // it counts if it is refused
      case 'token':
        this.session.renew({ token: frame.access_token, proof: frame.dpop })
        break
      case 'ping':
        // A client that floods with pings and does not read the answers gets none.
        if (this.connection.hasRoom) this.connection.send({ t: 'pong', n: frame.n })
    }
    return 'charged'
  }

  private acknowledge(acks: readonly Position[]): FrameWorth {
    const done = this.lanes.acknowledge(acks)
    if (done === undefined) this.close(CloseCode.badFrame, 'ack beyond what was delivered')
    else if (done > 0) this.progressed()
    return done !== undefined && done >= acks.length ? 'progress' : 'charged'
  }

  private acknowledgeInbox(ids: readonly number[]): FrameWorth {
    const done = this.inbox.acknowledge(ids)
    if (done > 0) this.wake()
    return done >= ids.length ? 'progress' : 'charged'
  }

  private wake(): void {
    if (!this.started || !this.connection.isOpen) return
    this.again = true
    if (!this.turning) void this.turns()
  }

  private async turns(): Promise<void> {
    this.turning = true
    try {
      if (!this.live) await this.session.lookUp()
      while (this.again && this.connection.isOpen) {
        this.again = false
        if (await this.turn()) this.again = true
      }
    } catch (error) {
      this.host.log.warn({ err: error }, 'a stream could not read')
      this.timer = setTimeout(() => this.wake(), RETRY_MS * (1 + Math.random())).unref()
    } finally {
      this.turning = false
    }
  }

  /** @returns whether there is more to do right away */
  private async turn(): Promise<boolean> {
    if (await this.inbox.writeAcks()) this.lanes.stale = true
    // In this order: a Welcome that comes between the two reads is sent before its log, which then waits for its ack.
    await this.lanes.refresh()
    if (await this.inbox.sendNew()) return true
    await this.lanes.check()
    const more = await this.lanes.readOn()
    if (!this.connection.isOpen) return false
    if (this.lanes.stuck) this.stall()
    if (!this.live && this.lanes.caughtUp && this.inbox.caughtUp) {
      this.live = true
      this.connection.send({ t: 'live' })
    }
    return more
  }

  /** News waits and the client neither reads nor acknowledges: that may take a while, but not without end. */
  private stall(): void {
    this.stalled ??= setTimeout(() => {
      this.stalled = undefined
      if (this.lanes.stuck) this.close(CloseCode.neverAcks, 'nothing was acknowledged')
    }, this.node.settings.ackTimeoutMs).unref()
  }

  private progressed(): void {
    clearTimeout(this.stalled)
    this.stalled = undefined
    if (this.lanes.stuck) this.stall()
  }

  /** Frees what the stream holds. Runs for a close by the client too; calling it twice does no harm. */
  dispose(): void {
    clearTimeout(this.timer)
    clearTimeout(this.stalled)
    this.session.end()
    this.posts.drop()
    this.lanes.dispose()
    void this.node.acks.flushDevice(this.caller.deviceId)
  }
}
