import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { Logger } from 'pino'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Caller } from '../../authentication/session/caller.js'
import type { ProvenRequest } from '../../authentication/possession/dpop-proof.js'
import { credentialsIn, Sessions, type Credentials } from '../../authentication/session/sessions.js'
import { STREAM_OPENED } from '../../platform/admission/connection-guard.js'
import { answerOnSocket } from '../../platform/admission/raw-answer.js'
import { Forbidden, InvalidRequest, NotFound, Problem, RateLimited, Unauthenticated, Unavailable } from '../../platform/http/problem.js'
import { isStreamPath } from '../../platform/http/server/fastify-adapter.js'
import { requestId } from '../../platform/http/problem-document.js'
import { problemFor } from '../../platform/http/send-problem.js'
import { Buckets } from '../../platform/limits/buckets.js'
import { LOG } from '../../platform/observability/log.js'
import { CloseCode, MAX_CLIENT_FRAME_BYTES, STREAM_PROTOCOL } from '../../protocol/frames.js'
import { Connection } from '../socket/connection.js'
import { Intake } from '../socket/intake.js'
import { STREAM_OPENINGS } from '../socket/stream-limits.js'
import { Stream } from './stream.js'
import { StreamResources } from './stream-resources.js'
import { LostEntries } from '../lost-entries.js'
import { Streams } from './streams.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { sleep } from '../../platform/timing.js'

// Compression would cost memory per socket, and ciphertext does not compress.
const SOCKET_OPTIONS = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_CLIENT_FRAME_BYTES,
  clientTracking: false,
  autoPong: false, // the intake bounds answers
  // A frame of the largest size arrives in at most this many pieces, and a message is not cut into more.
  maxFragments: 64,
  maxBufferedChunks: 1_024,
  closeTimeout: 5_000, // for the peer's half of the closing handshake
  handleProtocols: () => STREAM_PROTOCOL,
}
/** The subprotocols that carry the token and its proof for clients that cannot set headers (browsers). */
const TOKEN_PROTOCOL = /^bearer\.([A-Za-z0-9._~-]+)$/
const PROOF_PROTOCOL = /^dpop\.([A-Za-z0-9._-]+)$/

/**
 * `GET /v1/stream` on the server's own HTTP port; other addresses and protocols never come here (`fastify-adapter.ts`). Not by Nest's
 * WsAdapter: it swallows parse errors, and a refused upgrade has to be answered in HTTP.
 */
@Injectable()
export class StreamServer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly sockets = new WebSocketServer(SOCKET_OPTIONS)
  private readonly openings = new Buckets({ perSecond: numberOf(STREAM_OPENINGS) / 60, burst: numberOf(STREAM_OPENINGS) })
  private readonly lost: LostEntries
  private opening = 0
  private draining = false

  constructor(
    @Inject(Sessions) private readonly sessions: Pick<Sessions, 'authenticate' | 'check'>,
    private readonly node: StreamResources,
    private readonly streams: Streams,
    private readonly http: HttpAdapterHost,
    @Inject(LOG) private readonly log: Logger,
  ) {
    this.lost = new LostEntries(node.metrics, log)
  }

  onApplicationBootstrap(): void {
    const server: unknown = this.http.httpAdapter?.getHttpServer()
    if (server) this.attach(server as Server)
  }

  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy())
      this.upgrade(request, socket, head).catch((error: unknown) => this.refuse(error, request, socket))
    })
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.drain()
  }

  /** Closes all streams with 1012, spread over `drainMs`: their clients all open new ones on other nodes. */
  async drain(): Promise<void> {
    if (this.draining) return
    this.draining = true
    const streams = this.streams.all()
    const { drainMs } = this.node.settings
    const end = performance.now() + drainMs
    for (const [index, stream] of streams.entries()) {
      stream.close(CloseCode.drain, 'this server goes away')
      const wait = end - drainMs + (drainMs * (index + 1)) / streams.length - performance.now()
      // A handful of streams need no spreading.
      if (streams.length > 16 && wait > 1) await sleep(wait)
    }
    await this.node.acks.flush()
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const protocols = this.admit(request)
    this.opening += 1
    try {
      const caller = await this.sessions.authenticate(credentialsOf(request, protocols), request)
      if (this.draining) throw new Unavailable()
      if (socket.destroyed) return
      this.countOpening(caller)
      this.sockets.handleUpgrade(request, socket, head, (websocket) => this.open(websocket, socket, caller, openingOf(request)))
    } finally {
      this.opening -= 1
    }
  }

  private refuse(error: unknown, request: IncomingMessage, socket: Duplex): void {
    const id = requestId(request)
    const known = problemFor(error)
    if (!known) this.log.error({ request_id: id, err: error }, 'upgrade failed')
    const problem = known ?? new Problem(500, 'internal', 'The server failed.')
    // The line that every other request has (platform/http/server/observe-requests.ts). By it the answer's `instance` is found in the log.
    const route = isStreamPath(request.url ?? '') ? '/v1/stream' : 'unmatched'
    this.log.info({ request_id: id, method: 'GET', route, status: problem.status }, 'request')
    answerOnSocket(socket, problem, id)
  }

  private admit(request: IncomingMessage): string[] {
    if (!isStreamPath(request.url ?? '')) throw new NotFound()
    if (!this.node.settings.cors.mayOpenStream(request.headers))
      throw new Forbidden('Pages of this origin may not use this server (CORS_ORIGINS).')
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim())
    if (!protocols.includes(STREAM_PROTOCOL)) throw new InvalidRequest(`The WebSocket subprotocol is ${STREAM_PROTOCOL}.`)
    // A stream that opens reads much, and its client may wait; those that are open continue.
    if (this.node.settings.pressure.refuses('read')) {
      this.node.metrics.limitsRefused.inc({ limit: 'pressure-read' })
      throw new Unavailable('The server is overloaded.', 1)
    }
    const { maxStreams } = this.node.settings
    if (this.draining || this.streams.size + this.opening >= maxStreams) throw new Unavailable('No more streams here.', 5)
    return protocols
  }

  /** @throws Problem 429 */
  private countOpening({ deviceId }: Caller): void {
    const wait = this.openings.take(String(deviceId))
    if (wait === 0) return
    this.node.metrics.limitsRefused.inc({ limit: STREAM_OPENINGS.name })
    throw new RateLimited(wait / 1000)
  }

  private open(websocket: WebSocket, socket: Duplex, caller: Caller, opening: ProvenRequest): void {
    const { budget, settings, turns } = this.node
    const connection = new Connection(websocket, socket, budget, settings)
    // By device, which has one stream, not by address: many devices may share one.
    const device = String(caller.deviceId)
    const intake = new Intake(websocket, socket, (work) => turns.enter(device, work), settings)
    const stream = new Stream(caller, intake, connection, this.node, {
      // The proof of a renewal is about the request that opened the stream.
      authenticate: (credentials) => this.sessions.authenticate(credentials, opening),
      checkSession: (session) => this.sessions.check(session),
      log: this.log,
      lost: () => this.lost.note(),
    })
    // A frame past maxPayload or against the protocol: ws answers with the right code (1009, 1002) and closes.
    websocket.on('error', () => undefined)
    websocket.once('close', () => {
      stream.dispose()
      this.streams.remove(stream)
    })
    this.streams.add(stream)
    socket.emit(STREAM_OPENED)
    stream.open()
  }
}

function credentialsOf(request: IncomingMessage, protocols: readonly string[]): Credentials {
  if (request.headers.authorization !== undefined) return credentialsIn(request.headers)
  const token = partOf(protocols, TOKEN_PROTOCOL)
  if (token === undefined) throw new Unauthenticated()
  return { token, proof: partOf(protocols, PROOF_PROTOCOL) }
}

function partOf(protocols: readonly string[], form: RegExp): string | undefined {
  return protocols.map((protocol) => form.exec(protocol)?.[1]).find((found) => found !== undefined)
}

/** What a stream keeps of the request that opened it. */
function openingOf({ method, url, headers: { host }, socket: { localAddress, localPort } }: IncomingMessage): ProvenRequest {
  return { method, url, headers: host === undefined ? {} : { host }, socket: { localAddress, localPort } }
}
