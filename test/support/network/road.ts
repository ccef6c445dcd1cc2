import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What happens to whoever comes this way: `answer` is given in the place of the server's. */
export type Weather = 'clear' | 'cut' | 'hangs' | { status: number; headers?: Record<string, string>; body?: string } | 'garbage'

export interface Road {
  readonly url: string
  weather: Weather
  /** Requests that came, by the endpoint: notify, update, … */
  readonly seen: string[]
  /** Where it leads; known only once the server listens. */
  target: string
  close(): Promise<void>
}

/** The network in front of one server, which can be made worse. */
export async function road(): Promise<Road> {
  const server = createServer((incoming, outgoing) => handle(incoming, outgoing))
  const made: Road = { url: '', weather: 'clear', seen: [], target: '', close }
  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    made.seen.push(/^\/(?:mimi\/v1\/)?([\w.-]+)/.exec(incoming.url ?? '')?.[1] ?? '')
    const { weather } = made
    if (weather === 'clear') return forward(made.target, incoming, outgoing)
    if (weather === 'cut') return void incoming.socket.destroy()
    if (weather === 'garbage') return void incoming.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\ngarbage')
    if (weather !== 'hangs') outgoing.writeHead(weather.status, weather.headers).end(weather.body)
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
