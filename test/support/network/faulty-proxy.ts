import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the proxy does with a request: forwards it, cuts the connection, never answers, or answers this in the server's place. */
export type Fault = 'none' | 'cut' | 'hangs' | { status: number; headers?: Record<string, string>; body?: string } | 'garbage'

export interface FaultyProxy {
  readonly url: string
  fault: Fault
  /** The endpoints that the fault is for; undefined: all. */
  only: readonly string[] | undefined
  /** Requests that came, by the endpoint: notify, update, … */
  readonly seen: string[]
  /** The URL of the server behind it; known only once that listens. */
  target: string
  close(): Promise<void>
}

/** A proxy in front of one server, which forwards everything until it is given a fault. */
export async function faultyProxy(): Promise<FaultyProxy> {
  const server = createServer((incoming, outgoing) => handle(incoming, outgoing))
  const made: FaultyProxy = { url: '', fault: 'none', only: undefined, seen: [], target: '', close }
  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const endpoint = /^\/(?:mimi\/v1\/)?([\w.-]+)/.exec(incoming.url ?? '')?.[1] ?? ''
    made.seen.push(endpoint)
    const fault = made.only && !made.only.includes(endpoint) ? 'none' : made.fault
    if (fault === 'none') return forward(made.target, incoming, outgoing)
    if (fault === 'cut') return void incoming.socket.destroy()
    if (fault === 'garbage') return void incoming.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ngarbage')
    if (fault !== 'hangs') outgoing.writeHead(fault.status, fault.headers).end(fault.body)
  }
  async function close(): Promise<void> {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(made, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

function forward(target: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const onward = request(target + (incoming.url ?? '/'), { method: incoming.method ?? 'GET', headers: incoming.headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  onward.on('error', () => incoming.socket.destroy())
  incoming.pipe(onward)
}
