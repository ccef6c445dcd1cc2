import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it } from '@jest/globals'
import { ConnectionGuard } from './connection-guard.js'

it('large bodies arrive whole, whenever somebody begins to read them and however many come at once', async () => {
  const guard = new ConnectionGuard({
    maxConnections: 1_000,
    connectionsPerAddress: 1_000,
    isProxy: () => false,
    refused: ({ name }) => expect(name).toBe('nothing'),
  })
  let turns = 0
  const server = guard.createServer({}, (request, response) => {
    let bytes = 0
    const begin = () => request.on('data', (chunk: Buffer) => (bytes += chunk.length)).once('end', () => response.end(String(bytes)))
    // In any of the next turns: while the head, the first read, or a paused rest is there.
    let left = turns++ % 40
    const wait = () => (left-- > 0 ? setImmediate(wait) : begin())
    wait()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const body = Buffer.alloc(700_000, 'a')
  const send = async () => (await fetch(url, { method: 'POST', body })).text()
  for (let round = 0; round < 20; round += 1)
    expect(await Promise.all(Array.from({ length: 4 }, send))).toEqual(Array.from({ length: 4 }, () => '700000'))
  server.close()
  server.closeAllConnections()
})
