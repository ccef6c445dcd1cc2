import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A proxy before PostgreSQL whose connections can go silent: no FIN, no RST, as after a failover. */
export interface PostgresProxy {
  /** The database's URL by way of this proxy. */
  readonly url: string
  /** Connections made so far. */
  made(): number
  /** Nothing passes any more on those that are open, and, unless `newOnes` is false, on those that come; they are accepted. */
  stall(options?: { newOnes?: boolean }): void
  /** Everything passes again, what was held back included. */
  resume(): void
  close(): Promise<void>
}

/** @param alias another name of the database, replaced by its own in the first packet: so two proxies can pass for one database */
export async function postgresProxy(databaseUrl: string, alias?: string): Promise<PostgresProxy> {
  const { hostname, port } = new URL(databaseUrl)
  const pairs = new Set<[Socket, Socket]>()
  let made = 0
  let silent = false
  const name = new URL(databaseUrl).pathname.slice(1)
  const hold = (pair: [Socket, Socket]) => pair.forEach((socket) => socket.pause())
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname)
    const pair: [Socket, Socket] = [client, server]
    pairs.add(pair)
    made += 1
    for (const [from, to] of [pair, [server, client] as [Socket, Socket]]) {
      from.on('data', (chunk) => void to.write(chunk))
      from.on('error', () => undefined)
      from.once('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
    if (alias) renameDatabase(client, alias, name)
    if (silent) hold(pair)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  if (alias) url.pathname = `/${alias}`
  url.port = String((proxy.address() as AddressInfo).port)
  return {
    url: url.href,
    made: () => made,
    stall({ newOnes = true } = {}) {
      silent = newOnes
      pairs.forEach(hold)
    },
    resume() {
      silent = false
      for (const pair of pairs) pair.forEach((socket) => socket.resume())
    },
    async close() {
      proxy.close()
      for (const [client, server] of pairs) {
        client.destroy()
        server.destroy()
      }
      await once(proxy, 'close')
    },
  }
}

/** In the first packet, which names the database. The names are of one length, so nothing else changes. */
function renameDatabase(client: Socket, from: string, to: string): void {
  if (from.length !== to.length) throw new Error('Names of one length only')
  client.prependOnceListener('data', (chunk: Buffer) => {
    const at = chunk.indexOf(from)
    if (at >= 0) chunk.write(to, at)
  })
}
