import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { request as requestSecurely } from 'node:https'

export interface LossyProxy {
  url: string
  /** The server acts on the next `count` requests whose path ends with `pathEnd`, but its answers are lost. */
  loseReplies(pathEnd: string, count: number): void
  lost(): number
  close(): Promise<void>
}

/** A network that swallows chosen replies. */
export async function lossyProxy(target: string): Promise<LossyProxy> {
  let pathEnd = ''
  let left = 0
  let lost = 0
  const send = target.startsWith('https:') ? requestSecurely : request
  const proxy = createServer((incoming, outgoing) => {
    const { host, ...others } = incoming.headers
    // A proof of possession names the address at which the client has asked.
    const headers = send === request ? { ...others, host } : others
    const forward = send(target + (incoming.url ?? '/'), { method: incoming.method ?? 'GET', headers }, (answer) => {
      if (left > 0 && (incoming.url ?? '').endsWith(pathEnd)) {
        left--
        lost++
        answer.resume().on('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    forward.on('error', () => incoming.socket.destroy())
    incoming.pipe(forward)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('No port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    loseReplies: (end, count) => ([pathEnd, left] = [end, count]),
    lost: () => lost,
    close: async () => {
      proxy.close()
      proxy.closeAllConnections()
      await once(proxy, 'close')
    },
  }
}
