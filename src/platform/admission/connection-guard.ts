import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import { Buckets } from '../limits/buckets.js'
import { numberOf, type DescribedLimit } from '../limits/described-limit.js'
import { Holds } from '../limits/holds.js'
import { Turns } from '../limits/turns.js'
import { addressGroup } from './address.js'
import {
  ADDRESS_CONNECTIONS,
  ADDRESS_NEW_CONNECTIONS,
  ADDRESS_OFFENCES,
  NEW_CONNECTIONS_PER_TURN,
  NEW_CONNECTIONS_BURST,
  OFFENCES_BURST,
  PROCESS_CONNECTIONS,
  READS_PER_TURN,
} from './admission-limits.js'
import { readInTurns } from './read-in-turns.js'
import { RequestGate } from './request-gate.js'

/** Emitted on a socket that has become an authenticated stream: limits of its device apply instead of those of its address. */
export const STREAM_OPENED = 'microchat:stream-opened'

export interface ConnectionGuardSettings {
  readonly maxConnections: number
  readonly connectionsPerAddress: number
  /** Whether a socket's own address is that of a proxy, which stands for many clients: limits per address do not apply to it. */
  isProxy(address: string): boolean
  /** Something was refused by this limit. */
  refused(limit: DescribedLimit): void
}

/** Which connections are accepted, and which of them serve a request right now. One per HTTP server. */
export class ConnectionGuard {
  private readonly open = new Set<Socket>()
  private readonly held: Holds
  private readonly addressOf = new WeakMap<Socket, string>()
  private readonly newConnections = new Buckets({ perSecond: numberOf(ADDRESS_NEW_CONNECTIONS), burst: NEW_CONNECTIONS_BURST })
  private readonly offences = new Buckets({ perSecond: numberOf(ADDRESS_OFFENCES) / 60, burst: OFFENCES_BURST })
  private readonly beginnings = new Turns(numberOf(NEW_CONNECTIONS_PER_TURN))
  private readonly reads = new Turns(numberOf(READS_PER_TURN))
  private readonly stopReading = new WeakMap<Socket, () => void>()
  private gate: RequestGate | undefined

  constructor(private readonly settings: ConnectionGuardSettings) {
    this.held = new Holds(settings.connectionsPerAddress)
  }

  get connections(): number {
    return this.open.size
  }

  /** An HTTP server whose connections and requests pass here before `handle` sees them. */
  createServer(options: ServerOptions, handle: RequestListener): Server {
    const gate = new RequestGate(handle, (socket, limit) => {
      this.settings.refused(limit)
      this.chargeOffence(socket)
    })
    this.gate = gate
    // Node would answer a request without Host by itself, and past the gate: thousands of them in one read of a socket.
    const server = createServer({ ...options, requireHostHeader: false }, gate.receive)
    // The answer 100 is sent once the request is admitted (`register-admission.ts`), not before.
    server.on('checkContinue', gate.receive)
    // As without Host: Node's own 417 comes past the gate.
    server.on('checkExpectation', gate.receive)
    server.maxConnections = this.settings.maxConnections
    server.on('drop', () => this.settings.refused(PROCESS_CONNECTIONS))
    this.acceptInTurns(server)
    server.on('upgrade', ({ socket }) => {
      // A stream is ended by its own protocol, not by `closeIdle`, and reads in its own turns.
      this.open.delete(socket)
      this.stopReading.get(socket)?.()
    })
    return server
  }

  private releaseAddress(socket: Socket): void {
    const address = this.addressOf.get(socket)
    if (address === undefined) return
    this.addressOf.delete(socket)
    this.held.release(address)
  }

  /**
   * Node's `closeIdleConnections` spares those on which nothing has been sent yet, and browsers and balancers keep such ones in
   * stock: a stop would wait for them.
   */
  closeIdle(): void {
    for (const socket of this.open) if (this.gate?.requestsOn(socket) === 0) socket.destroy()
  }

  /**
   * Node's own listener, which begins to serve a connection, is called for a few of them at a time; they are paused until then. A proxy is
   * trusted, and stands for many clients: it does not wait. What connections send is read in turns, also from a proxy.
   */
  private acceptInTurns(server: Server): void {
    const [serve] = server.listeners('connection')
    if (!serve) throw new Error('An HTTP server without a listener for its connections')
    server.removeAllListeners('connection')
    // A documented option of `net.createServer` that `http.createServer` does not hand on.
    Object.assign(server, { pauseOnConnect: true })
    server.on('connection', (socket: Socket) => {
      if (!this.accept(socket)) return
      const begin = () => {
        if (socket.destroyed) return
        serve.call(server, socket)
        const caller = addressGroup(socket.remoteAddress ?? '')
        this.stopReading.set(
          socket,
          readInTurns(socket, (work) => this.reads.enter(caller, work)),
        )
      }
      const address = this.addressOf.get(socket)
      if (address === undefined) begin()
      else this.beginnings.enter(address, begin)
    })
  }

  /** @returns false if the connection was refused */
  private accept(socket: Socket): boolean {
    const address = addressGroup(socket.remoteAddress ?? '')
    const limit = this.settings.isProxy(socket.remoteAddress ?? '') ? undefined : this.limitReachedBy(address)
    if (limit) {
      this.settings.refused(limit)
      socket.destroy()
      return false
    }
    this.open.add(socket)
    if (!this.settings.isProxy(socket.remoteAddress ?? '')) this.addressOf.set(socket, address)
    socket.once('close', () => {
      this.open.delete(socket)
      this.releaseAddress(socket)
    })
    socket.once(STREAM_OPENED, () => this.releaseAddress(socket))
    return true
  }

  private limitReachedBy(address: string): DescribedLimit | undefined {
    if (this.offences.of(address).waitFor() > 0) return ADDRESS_OFFENCES
    if (this.newConnections.take(address) > 0) return ADDRESS_NEW_CONNECTIONS
    return this.held.take(address) ? undefined : ADDRESS_CONNECTIONS
  }

  private chargeOffence(socket: Socket): void {
    const address = this.addressOf.get(socket)
    // Never into debt: a few hundred connections cut at once would shut out all users of that address for hours.
    if (address !== undefined) this.offences.take(address)
  }
}

/** File descriptors for PostgreSQL, Redis, other providers, files and the embedded database's pipes. */
const OTHER_DESCRIPTORS = 200
const UNKNOWN = 10_000

/**
 * @param configured MAX_CONNECTIONS; 0 derives it from the process's limit of open files
 * @returns how many connections may be open at once, so that descriptors are left for everything else
 */
export function maxConnections(configured: number): number {
  if (configured > 0) return configured
  const open = openFilesLimit()
  return open === undefined ? UNKNOWN : Math.max(100, open - OTHER_DESCRIPTORS)
}

/** The soft limit (`ulimit -n`), which Node shows only in its diagnostic report. */
function openFilesLimit(): number | undefined {
  const { report: diagnostic } = process
  // Otherwise names of peers are looked up, which takes its time.
  Object.assign(diagnostic, { excludeNetwork: true })
  const report = diagnostic.getReport() as { userLimits?: { open_files?: { soft: number | string } } }
  const soft = Number(report.userLimits?.open_files?.soft)
  return Number.isFinite(soft) ? soft : undefined
}
