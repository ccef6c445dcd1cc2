import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from '@jest/globals'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { spawnServer } from '../support/server.js'
import { GENEROUS, World } from '../support/world.js'
import { SMALL_BATCHES } from './sealed-sender-fixture.js'
import { postOf, sealedGroup, send } from './sealed-server-fixture.js'

const database = useTestDatabase()

it('a post without a sender leaves no span: neither of its request nor of a statement that is its alone', async () => {
  const received: string[] = []
  const collector = createServer((request, response) => {
    request.setEncoding('latin1').on('data', (text: string) => received.push(text))
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }
  const server = await spawnServer(database.url, { ...GENEROUS, ...SMALL_BATCHES, ...traced })
  const world = new World(server.url)
  const [alice] = await world.cast('alice')
  const { group, key, purse } = await sealedGroup(world, [alice])
  await send(server.url, await postOf(group, key, purse.take(), 'hello'))
  await world.disconnect()
  expect(await server.stop('SIGTERM')).toBe(0)
  const has = (text: string) => received.join('').includes(text)
  // What else happened is there, so the spans have come.
  await eventually(() => has('publish_sender_key'), Boolean)
  collector.close()
  expect(received.join('')).not.toMatch(/sealed/)
})
