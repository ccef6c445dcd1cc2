import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { CONNECTION_REQUESTS, PIPELINED_REQUESTS } from './admission-limits.js'

interface Exchange {
  request: IncomingMessage
  response: ServerResponse
}

interface Pipeline {
  readonly inFlight: Set<ServerResponse>
  readonly waiting: Exchange[]
}

/**
 * Hands requests on, a few at a time per connection. Node's parser emits every request that one read of a socket brings, up to
 * thousands; those past the first few wait here, and the socket is not read meanwhile. A connection that sends ahead
 * without end is cut.
 */
export class RequestGate {
  private readonly pipelines = new WeakMap<Socket, Pipeline>()

  /** @param cut called for a connection that was cut */
  constructor(
    private readonly handle: RequestListener,
    private readonly cut: (socket: Socket) => void,
  ) {}

  readonly receive = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request
    // Requests of a connection that was cut in the middle of one read.
    if (socket.destroyed) return
    const pipeline = this.pipelineOf(socket)
    if (pipeline.inFlight.size < CONNECTION_REQUESTS.value) return this.start(pipeline, { request, response })
    if (pipeline.inFlight.size + pipeline.waiting.length >= PIPELINED_REQUESTS.value) {
      pipeline.waiting.length = 0
      stopParsing(socket)
      socket.destroy()
      return this.cut(socket)
    }
    pipeline.waiting.push({ request, response })
    if (pipeline.waiting.length > 1) return
    // Node resumes the socket at the end of each request that it has parsed, so it is paused after all of this read.
    setImmediate(() => {
      if (pipeline.waiting.length > 0) socket.pause()
    })
  }

  /** Requests that are being answered or wait on this connection. */
  requestsOn(socket: Socket): number {
    const pipeline = this.pipelines.get(socket)
    return pipeline ? pipeline.inFlight.size + pipeline.waiting.length : 0
  }

  private pipelineOf(socket: Socket): Pipeline {
    const known = this.pipelines.get(socket)
    if (known) return known
    const pipeline: Pipeline = { inFlight: new Set(), waiting: [] }
    this.pipelines.set(socket, pipeline)
    socket.once('close', () => closeAll(pipeline))
    return pipeline
  }

  private start(pipeline: Pipeline, { request, response }: Exchange): void {
    pipeline.inFlight.add(response)
    response.once('close', () => {
      pipeline.inFlight.delete(response)
      this.startNext(pipeline, request.socket)
    })
    this.handle(request, response)
  }

  private startNext(pipeline: Pipeline, socket: Socket): void {
    if (socket.destroyed) {
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

/**
 * Node parses all that one read has brought, also of a socket that was destroyed meanwhile: thousands of requests, some 50 ms. It has no
 * documented way to stop it; an answer below zero for a request's head is what its parser takes for a failure.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: { onIncoming?: () => number } | null }
  if (parser?.onIncoming) parser.onIncoming = () => -1
}
