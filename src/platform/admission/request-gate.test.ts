import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { expect, it } from '@jest/globals'
import { RequestGate } from './request-gate.js'

it('hands on nothing that came behind an answer which ends the connection', async () => {
  const handed: ServerResponse[] = []
  const gate = new RequestGate(
    (_request, response) => void handed.push(response),
    () => undefined,
  )
  const server = createServer(gate.receive).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  try {
    client.on('error', () => undefined).resume()
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(20))
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    while (handed.length < 8) await turn()
    handed[0]?.setHeader('connection', 'close').end()
    while (!client.closed) await turn()
    expect(handed).toHaveLength(8)
  } finally {
    client.destroy()
    server.close()
  }
})
