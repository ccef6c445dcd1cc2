import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Gives the URL to forward for the URL received. */
export type Alteration = (url: string) => string

/** As nginx does where `proxy_pass` ends in a path: escapes of the path are decoded, and two slashes become one; the query stays. */
export const decodePath: Alteration = (url) => {
  const [path = '', ...query] = url.split('?')
  return [encodeURI(decodeURIComponent(path)).replaceAll(/\/{2,}/g, '/'), ...query].join('?')
}

export interface DecodingProxy {
  readonly url: string
  close(): Promise<void>
}

/** A proxy in front of a server that alters the addresses of requests, and nothing else. */
export async function decodingProxy(target: string, alter: Alteration = decodePath): Promise<DecodingProxy> {
  const proxy = createServer((incoming, outgoing) => {
    const { method = 'GET', headers } = incoming
    const onward = request(target + alter(incoming.url ?? '/'), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => incoming.socket.destroy())
    incoming.pipe(onward)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: async () => {
      proxy.close()
      proxy.closeAllConnections()
      await once(proxy, 'close')
    },
  }
}
