import { constants } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyInstance } from 'fastify'
import { addressGroup } from '../../platform/admission/address.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InboundGate } from '../inbound/inbound-gate.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { shownOn } from './certificate-trust.js'
import { DraftConnections } from './draft-connections.js'
import { draftDirectory, draftUrl } from './draft-endpoints.js'
import { DraftPeers } from './draft-peers.js'

const DIRECTORY_PATH = '/.well-known/mimi-protocol-directory'

const TIMEOUTS = {
  handshakeTimeout: 3_000,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 30_000,
  maxHeaderSize: 16_384,
}
/** From proxies, of which there is none before this listener: a peer would choose its own address with them. */
const OF_PROXIES = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded']

/**
 * The listener for peers of the draft (draft-ietf-mimi-protocol-06, Transport layer): TLS in which both sides show certificates. It leads to the
 * endpoints of the draft and to nothing else of this server. A connection without the certificate of a peer ends with the handshake. Whose the
 * certificate is, the guard judges for each request: a peer learns the reason of a refusal from an answer.
 */
@Injectable()
export class DraftListener implements OnModuleInit, BeforeApplicationShutdown {
  private readonly accepted = new WeakSet<Socket>()
  private readonly connections = new DraftConnections()
  /** How the handshake of each connection ends, by where it comes from. */
  private readonly handshakes = new Map<string, () => void>()
  private server: Server | undefined

  constructor(
    @Inject(CONFIG)
    private readonly config: Pick<
      Config,
      | 'DOMAIN'
      | 'FEDERATION'
      | 'FEDERATION_DRAFT_PORT'
      | 'FEDERATION_DRAFT_URL'
      | 'FEDERATION_TLS_CERT'
      | 'FEDERATION_TLS_KEY'
      | 'HOST'
      | 'ROLE'
    >,
    private readonly peers: DraftPeers,
    private readonly gate: InboundGate,
    private readonly host: HttpAdapterHost,
  ) {}

  /** Where peers find its endpoints; undefined without a listener. */
  get url(): string | undefined {
    return draftUrl(this.config)
  }

  /** The connection of a request that came in here; undefined for one of any other listener. */
  connectionOf({ socket }: IncomingMessage): TLSSocket | undefined {
    return socket instanceof TLSSocket && this.accepted.has(socket) ? socket : undefined
  }

  onModuleInit(): void {
    if (this.url === undefined || this.config.ROLE === 'worker') return
    const fastify: FastifyInstance = this.host.httpAdapter.getInstance()
    // When all routes are known.
    fastify.addHook('onReady', () => this.open(fastify))
  }

  async beforeApplicationShutdown(): Promise<void> {
    const { server } = this
    if (!server) return
    this.server = undefined
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    const cut = setTimeout(() => server.closeAllConnections(), 1_000)
    await closed
    clearTimeout(cut)
  }

  private async open(fastify: FastifyInstance): Promise<void> {
    const { FEDERATION_TLS_CERT: cert = '', FEDERATION_TLS_KEY: key = '', FEDERATION_DRAFT_PORT: port, HOST: host } = this.config
    const options = {
      ...TIMEOUTS,
      cert: readFileSync(cert),
      key: readFileSync(key),
      ca: this.peers.authorities(),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2' as const,
      // No session outlives its connection: each shows its certificate.
      secureOptions: constants.SSL_OP_NO_TICKET,
    }
    const server = createServer(options, (request, response) => this.take(fastify, request, response))
    server.on('connection', (socket) => socket instanceof Socket && this.shake(socket))
    server.on('secureConnection', (socket) => this.accept(socket))
    server.listen(port, host)
    await once(server, 'listening')
    this.server = server
  }

  /** A handshake costs a signature before anything is known of who asks: few at a time, and fewer from one address. */
  private shake(socket: Socket): void {
    const address = addressGroup(socket.remoteAddress ?? '')
    const end = this.isWithinRate(address) ? this.connections.shake(address) : undefined
    if (!end) return void socket.destroy()
    const place = placeOf(socket)
    this.handshakes.set(place, end)
    socket.once('close', () => {
      end()
      this.handshakes.delete(place)
    })
  }

  private isWithinRate(address: string): boolean {
    try {
      this.gate.takeUnverified(address)
      return true
    } catch {
      return false // RateLimited
    }
  }

  private accept(socket: TLSSocket): void {
    this.handshakes.get(placeOf(socket))?.()
    const address = addressGroup(socket.remoteAddress ?? '')
    const shown = shownOn(socket)
    const peer = shown && this.peers.shownBy(shown, new Date())
    const end = peer === undefined ? undefined : this.connections.connect(address, peer)
    if (!end) return void socket.destroy()
    this.gate.returnVerified(address)
    socket.once('close', end)
    this.accepted.add(socket)
  }

  private take(fastify: FastifyInstance, request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '' } = request
    if (method === 'GET' && url === DIRECTORY_PATH) return sendDirectory(response, this.url ?? '')
    if (method !== 'POST' || !url.startsWith(`/${PEER_PATH}/`)) {
      response.writeHead(404, { 'content-length': '0' }).end()
      return
    }
    for (const name of OF_PROXIES) Reflect.deleteProperty(request.headers, name)
    fastify.routing(request, response)
  }
}

function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function sendDirectory(response: ServerResponse, base: string): void {
  const body = JSON.stringify(draftDirectory(base))
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'max-age=60' }).end(body)
}
