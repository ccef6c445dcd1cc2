import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import { expect, it } from '@jest/globals'
import { describeDeployment, ServiceContainer } from './compose-project.js'

const server = new URL(process.env['TEST_SERVER_URL'] ?? 'https://localhost')
const MIB = 1024 ** 2

/** Sends the path unchanged; `fetch` would normalize it. */
async function ask(method: string, path: string, body = Buffer.alloc(0)): Promise<{ status: number | undefined; type: string }> {
  const headers = { 'content-type': 'application/json', 'content-length': body.length }
  const outgoing = request({ hostname: server.hostname, port: server.port, method, path, headers }).end(body)
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  const { type } = JSON.parse(await text(answer)) as { type: string }
  return { status: answer.statusCode, type }
}

/** What no HTTP client would send. @returns the answer's first bytes */
async function sendRaw(bytes: string): Promise<string> {
  const { hostname, port } = server
  const socket = connect({ host: hostname, port: Number(port), servername: hostname, ALPNProtocols: ['http/1.1'] })
  socket.write(bytes)
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return chunk.toString()
}

describeDeployment('the proxy', () => {
  it.each([
    '/metrics',
    '/metrics/',
    '/health',
    '/health/live',
    '/health/ready',
    '//metrics',
    '/METRICS',
    '/%6Detrics',
    '/v1/../metrics',
    '/v1/%2e%2e/metrics',
    '/health%2fready',
  ])('does not hand out %s', async (path) => {
    expect(await ask('GET', path)).toEqual({ status: 404, type: 'urn:microchat:problem:not-found' })
  })

  it('lets a body through that the server takes, and refuses one that it does not', async () => {
    expect(await ask('POST', '/v1/auth/challenges', Buffer.alloc(6 * MIB))).toEqual({
      status: 400,
      type: 'urn:microchat:problem:invalid-request',
    })
    const head = 'POST /v1/auth/challenges HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json'
    const tooMuch = 'x'.repeat(6 * MIB + 1)
    expect(await sendRaw(`${head}\r\nContent-Length: ${tooMuch.length}\r\n\r\n${tooMuch}`)).toMatch(/^HTTP\/1.1 413 /)
    const chunks = `${tooMuch.length.toString(16)}\r\n${tooMuch}\r\n0\r\n\r\n`
    expect(await sendRaw(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)).toMatch(/^HTTP\/1.1 413 /)
  })

  it('sends plain HTTP to HTTPS', async () => {
    const { NetworkSettings } = await (await ServiceContainer.of('proxy')).inspect()
    const port = NetworkSettings.Ports['80/tcp']?.[0]?.HostPort
    const answer = await fetch(`http://localhost:${port}/v1/devices`, { redirect: 'manual' })
    expect([answer.status, answer.headers.get('location')]).toEqual([308, 'https://localhost/v1/devices'])
  })

  it('writes down neither who asked nor for what, not even when that went wrong', async () => {
    const head = 'POST /v1/auth/challenges?c2VjcmV0 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json'
    expect(await sendRaw(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nnot a chunk\r\n`)).toMatch(/^HTTP\/1.1 502 /)
    const lines = (await (await ServiceContainer.of('proxy')).log()).split('\n')
    expect(lines.filter((line) => line.includes('serving initial configuration'))).not.toEqual([])
    expect(lines.filter((line) => /c2VjcmV0|"(remote_ip|client_ip|uri|headers)"/.test(line))).toEqual([])
  })
})
