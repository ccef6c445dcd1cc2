import { expect, test } from '@jest/globals'
import proxyAddress from '@fastify/proxy-addr'
import { isProxySetting, proxiesOf } from './proxies.js'

/** As Fastify finds `request.ip`: the first address from the right that is not a proxy. */
function clientOf(setting: string, connection: string, forwarded: string): string {
  const request = { socket: { remoteAddress: connection }, headers: { 'x-forwarded-for': forwarded } }
  return proxyAddress(request as never, (address: string, hop: number) => proxiesOf(setting).trusts(address, hop))
}

test.each([
  ['off', '198.51.100.9', '203.0.113.5', '198.51.100.9'],
  ['on', '10.0.0.1', '203.0.113.5', '203.0.113.5'],
  // What the client itself wrote stands to the left of what the proxy added.
  ['on', '10.0.0.1', '192.0.2.66, 203.0.113.5', '203.0.113.5'],
  ['2', '10.0.0.1', '192.0.2.66, 203.0.113.5, 10.0.0.2', '203.0.113.5'],
  ['10.0.0.0/8', '10.0.0.1', '192.0.2.66, 203.0.113.5, 10.9.9.9', '203.0.113.5'],
  ['10.0.0.0/8', '198.51.100.9', '203.0.113.5', '198.51.100.9'],
  ['10.0.0.0/8', '10.0.0.1', 'unknown', 'unknown'],
])('TRUST_PROXY=%s, a connection from %s, X-Forwarded-For: %s: the client is %s', (setting, connection, forwarded, client) => {
  expect(clientOf(setting, connection, forwarded)).toBe(client)
})

test('ranges tell a proxy from a client that connects directly', () => {
  const proxies = proxiesOf('10.0.0.0/8,loopback')
  expect(['10.1.2.3', '::ffff:10.1.2.3', '127.0.0.1', '192.0.2.1', ''].map((address) => proxies.isProxy(address))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})

test.each(['yes', '0', '10', '10.0.0.0/33', 'a.example', '10.0.0.0/8,', ''])('TRUST_PROXY=%s is refused', (setting) => {
  expect(isProxySetting(setting)).toBe(false)
})
