import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Config } from '../../platform/config/config.js'
import { answerClientErrors } from '../../platform/http/server/client-errors.js'
import { encodeJson } from '../../platform/http/encode.js'
import { MethodNotAllowed, NotFound, TooLarge, Unavailable, type Problem } from '../../platform/http/problem.js'
import { PROBLEM_MEDIA_TYPE, problemDocument, requestId } from '../../platform/http/problem-document.js'
import { ALIVE, OPERATIONS, type Operations, type OperationsAnswer } from './operations.js'
import { OPERATIONS_LIMITS as LIMITS } from './operations.limits.js'

/** How often Node looks for requests that take too long to arrive. */
const CHECKING_MS = 1_000

type Settings = Pick<Config, 'HOST' | 'OPERATIONS_HOST' | 'OPERATIONS_PORT'>
type Limit = keyof typeof LIMITS

/**
 * Health and metrics on a port of their own, so that nobody who gets at the public one can ask for them or keep them busy. It listens before
 * anything else is started and until everything has ended, and says until then that the process lives and is not ready.
 */
export class OperationsListener {
  private operations: Operations | undefined
  /** Open sockets, in the order in which they came. */
  private readonly sockets = new Set<Socket>()
  private readonly asked = new WeakSet<Socket>()

  private constructor(
    private readonly server: Server,
    private readonly log: Logger,
  ) {
    server.on('connection', (socket: Socket) => this.admit(socket))
    server.on('request', (request, response) => void this.handle(request, response))
    const answer = answerClientErrors(log)
    server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
      if (error.code === 'HPE_HEADER_OVERFLOW') this.count('headerBytes')
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.count('headerMs')
      answer(error, socket)
      socket.destroySoon()
    })
    server.setTimeout(LIMITS.silenceMs.value, (socket) => {
      this.count('silenceMs')
      socket.destroy()
    })
  }

  /** @returns undefined without OPERATIONS_PORT: then the main port has them */
  static async open(config: Settings, log: Logger): Promise<OperationsListener | undefined> {
    if (config.OPERATIONS_PORT === undefined) return undefined
    const server = createServer({
      headersTimeout: LIMITS.headerMs.value,
      requestTimeout: LIMITS.headerMs.value,
      connectionsCheckingInterval: CHECKING_MS,
      maxHeaderSize: LIMITS.headerBytes.value,
      requireHostHeader: false,
    })
    const listener = new OperationsListener(server, log)
    server.listen(config.OPERATIONS_PORT, config.OPERATIONS_HOST ?? config.HOST)
    await once(server, 'listening')
    return listener
  }

  /** Where it listens. */
  get url(): string {
    const { address, family, port } = this.server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** The server is up: from now on it is asked. */
  serve(operations: Operations): void {
    this.operations = operations
  }

  async close(): Promise<void> {
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
  }

  private admit(socket: Socket): void {
    this.sockets.add(socket)
    socket.once('close', () => this.sockets.delete(socket))
    if (this.sockets.size <= LIMITS.connections.value) return
    const [oldest] = this.sockets
    this.count('connections')
    oldest?.destroy()
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request
    if (this.asked.has(socket)) return this.count('requests')
    this.asked.add(socket)
    const { status, contentType, bytes } = await this.answer(request).catch((error: unknown) => this.failed(error))
    const fields = { 'content-type': contentType, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', connection: 'close' }
    response.writeHead(status, { ...fields, 'content-length': bytes.length }).end(bytes)
  }

  private async answer({ method = '', url = '', headers }: IncomingMessage): Promise<OperationsAnswer> {
    const [path = ''] = url.split('?')
    const answer = Object.hasOwn(OPERATIONS, path) ? OPERATIONS[path] : undefined
    if (!answer) return refusal(new NotFound())
    if (method !== 'GET' && method !== 'HEAD') return refusal(new MethodNotAllowed(['GET', 'HEAD']))
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > LIMITS.bodyBytes.value) {
      this.count('bodyBytes')
      return refusal(new TooLarge('A request has no body here.', LIMITS.bodyBytes.value))
    }
    if (path === '/health/live') return ALIVE
    return this.operations ? answer(this.operations) : refusal(new Unavailable('The server is starting.'))
  }

  private failed(error: unknown): OperationsAnswer {
    this.log.error({ err: error }, 'health or metrics could not be answered')
    return refusal(new Unavailable())
  }

  private count(limit: Limit): void {
    this.operations?.metrics.limitsRefused.inc({ limit: LIMITS[limit].name })
  }
}

function refusal(problem: Problem): OperationsAnswer {
  const bytes = Buffer.from(encodeJson(problemDocument(problem, requestId({ headers: {} }))))
  return { status: problem.status, contentType: PROBLEM_MEDIA_TYPE, bytes }
}
