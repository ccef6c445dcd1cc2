import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { numberOf, type DescribedLimit } from '../limits/described-limit.js'
import { Turns } from '../limits/turns.js'
import { addressGroup } from './address.js'
import { CONNECTION_REQUESTS, PIPELINED_REQUESTS, NEW_REQUESTS_PER_TURN, TINY_CHUNK_BYTES, TINY_CHUNKS } from './admission-limits.js'

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
}

interface Pipeline {
  /** Whose turns its requests take. */
  readonly caller: string
  readonly inFlight: Set<ServerResponse>
  readonly waiting: Exchange[]
  /** Small chunks of bodies in chunked coding, since this connection last had nothing to answer. */
  tinyChunks: number
  /** An answer has said that the connection ends: nothing that came behind it is handed on (RFC 9112 §9.6). */
  ending: boolean
}

/**
 * Hands requests on, a few at a time per connection and per turn of the event loop. Node's parser emits every request, and every chunk of
 * a body, that one read of a socket brings. Requests past the first few wait here, and the socket is not read until they are handed on. A
 * connection that sends requests ahead without end, or chunks of a few bytes, is cut.
 */
export class RequestGate {
  private readonly pipelines = new WeakMap<Socket, Pipeline>()

  private readonly turns = new Turns(numberOf(NEW_REQUESTS_PER_TURN))

  /** @param cut called for a connection that was cut, with the limit that it met */
  constructor(
    private readonly handle: RequestListener,
    private readonly cut: (socket: Socket, limit: DescribedLimit) => void,
  ) {}

  readonly receive = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    // Requests of a connection that was cut in the middle of one read.
    if (socket.destroyed) return
    const pipeline = this.pipelineOf(socket)
    if (pipeline.ending) return
    if (pipeline.inFlight.size + pipeline.waiting.length === 0) pipeline.tinyChunks = 0
    if (request.headers['transfer-encoding'] !== undefined) this.boundChunks(request, pipeline)
    if (pipeline.inFlight.size < numberOf(CONNECTION_REQUESTS)) return this.start(pipeline, { request, response })
    if (pipeline.inFlight.size + pipeline.waiting.length >= numberOf(PIPELINED_REQUESTS)) {
      pipeline.waiting.length = 0
      return this.cutOff(socket, PIPELINED_REQUESTS)
    }
    pipeline.waiting.push({ request, response })
    if (pipeline.waiting.length > 1) return
    // Node resumes the socket at the end of each request that it has parsed, so it is paused after all of this read.
    setImmediate(() => {
      if (pipeline.waiting.length > 0) socket.pause()
    })
  }

  /**
   * Chunks are counted where the parser hands them over, before their request has been judged: each takes it as long as a kilobyte. What
   * they bring is joined, as a buffer of one byte takes a kilobyte of memory, and nobody may read the body for a while.
   */
  private boundChunks(request: IncomingMessage, pipeline: Pipeline): void {
    const push = request.push.bind(request)
    let joined = Buffer.alloc(0)
    const flush = () => {
      if (joined.length > 0) push(joined)
      joined = Buffer.alloc(0)
    }
    // Node no longer hands over the chunks of a body that was refused, but has as much work with them.
    Object.defineProperty(request, '_dumped', { get: () => false, set() {} })
    request.push = (chunk: Buffer | null) => {
      if (chunk === null || chunk.length >= TINY_CHUNK_BYTES) {
        flush()
        return push(chunk)
      }
      pipeline.tinyChunks += 1
      if (pipeline.tinyChunks === numberOf(TINY_CHUNKS)) this.cutOff(request.socket, TINY_CHUNKS)
      if (joined.length === 0) queueMicrotask(flush)
      joined = Buffer.concat([joined, chunk])
      return request.readableLength + joined.length < request.readableHighWaterMark
    }
  }

  private cutOff(socket: Socket, limit: DescribedLimit): void {
    socket.destroy()
    this.cut(socket, limit)
  }

  /** Requests that are being answered or wait on this connection. */
  requestsOn(socket: Socket): number {
    const pipeline = this.pipelines.get(socket)
    return pipeline ? pipeline.inFlight.size + pipeline.waiting.length : 0
  }

  private pipelineOf(socket: Socket): Pipeline {
    const known = this.pipelines.get(socket)
    if (known) return known
    const pipeline: Pipeline = {
      caller: addressGroup(socket.remoteAddress ?? ''),
      inFlight: new Set(),
      waiting: [],
      tinyChunks: 0,
      ending: false,
    }
    this.pipelines.set(socket, pipeline)
    socket.once('close', () => closeAll(pipeline))
    return pipeline
  }

  private start(pipeline: Pipeline, { request, response }: Exchange): void {
    pipeline.inFlight.add(response)
    response.once('close', () => {
      pipeline.inFlight.delete(response)
      pipeline.ending ||= response.getHeader('connection') === 'close'
      this.startNext(pipeline, request.socket)
    })
    this.turns.enter(pipeline.caller, () => {
      if (!response.closed) this.handle(request, response)
    })
  }

  private startNext(pipeline: Pipeline, socket: Socket): void {
    if (socket.destroyed || pipeline.ending) {
      pipeline.waiting.length = 0
      return
    }
    const next = pipeline.waiting.shift()
    if (next) this.start(pipeline, next)
    else if (socket.isPaused()) socket.resume()
  }
}

/**
 * After an upgrade Node no longer looks after the requests that were sent before it on the same connection: they never hear of its end.
 * What they hold, and what waits for them, hangs on that.
 */
function closeAll({ inFlight, waiting }: Pipeline): void {
  waiting.length = 0
  for (const response of inFlight) {
    if (response.closed) continue
    response.destroy()
    response.emit('close')
  }
}
