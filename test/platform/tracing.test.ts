import { expect, it } from '@jest/globals'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { useTestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { spawnServer } from '../support/server.js'

const database = useTestDatabase()

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

it('traces go to the configured endpoint, by route and statement, without addresses or tokens', async () => {
  const received: { url: string | undefined; body: string }[] = []
  const collector = createServer((request, response) => {
    void bodyOf(request).then((body) => received.push({ url: request.url, body }))
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const server = await spawnServer(database.url, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
  await fetch(`${server.url}/v1/groups/c2VjcmV0?x=hunter2`, { headers: { authorization: 'Bearer hunter2' } })
  await fetch(`${server.url}/v1/auth/challenges`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"client":"mimi://localhost/d/hunter2/phone"}',
  })
  expect(await server.stop('SIGTERM')).toBe(0)
  await eventually(
    () => received.length,
    (count) => count > 0,
  )
  collector.close()
  const text = received.map(({ body }) => body).join()
  expect(new Set(received.map(({ url }) => url))).toEqual(new Set(['/v1/traces']))
  expect(text).toContain('POST /v1/auth/challenges')
  expect(text).toContain('postgresql ')
  expect(text).not.toMatch(/hunter2|c2VjcmV0/)
})
