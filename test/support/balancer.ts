import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Balancer {
  url: string
  close(): Promise<void>
}

/** Hands every new connection to the next port that takes it, as a balancer in front of several nodes would. */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>()
  let turn = 0
  const proxy = createServer((client) => {
    open.add(client)
    client.on('error', () => client.destroy()).once('close', () => open.delete(client))
    const order = ports.map((_, index) => ports[(turn + index) % ports.length] ?? 0)
    turn += 1
    forward(client, order)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const close = async () => {
    proxy.close()
    for (const client of open) client.destroy()
    await once(proxy, 'close')
  }
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, close }
}

/** To the first that accepts; once connected there is no second try, as nobody knows what the node has read. */
function forward(client: Socket, [port, ...others]: readonly number[]): void {
  if (port === undefined) return void client.destroy()
  const node = connect(port, '127.0.0.1')
  const refused = () => (client.destroyed ? undefined : forward(client, others))
  node.once('error', refused)
  node.once('connect', () => {
    node.off('error', refused).on('error', () => client.destroy())
    node.once('close', () => client.destroy())
    client.once('close', () => node.destroy())
    node.pipe(client)
    client.pipe(node)
  })
}
