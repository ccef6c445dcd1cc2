import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it, jest } from '@jest/globals'
import type { HttpRequestMessage } from '../../../src/protocol/http-signature/message.js'
import { requestSignature } from '../../../src/protocol/http-signature/signed-request.js'
import { HostileProvider } from './peer/hostile-provider.js'

const DOMAIN = 'a.example'
const { publicKey } = generateKeyPairSync('ed25519')
const VICTIM = { domain: DOMAIN, url: '', proxy: { url: `http://${DOMAIN}` } }

/** A request with a long address, and more components between the signed ones. Counts what is read of it. */
function message(components: readonly string[]) {
  const signed = new HostileProvider('c.example').signed(VICTIM, '/mimi/v1/directory/x', Buffer.alloc(0))
  const input = String(signed['signature-input']).replace(')', `${components.map((one) => ` ${one}`).join('')})`)
  const headers = { ...signed, 'signature-input': input, 'x-long': 'x'.repeat(8_000) }
  const read = { address: 0, fields: [] as string[] }
  const counted: HttpRequestMessage = {
    method: 'POST',
    get targetUri() {
      read.address++
      return `http://${DOMAIN}/mimi/v1/directory/x?${Array.from({ length: 600 }, (_, at) => `q${at}=${at}`).join('&')}`
    },
    headers: new Proxy(headers, {
      get: (of, name) => {
        read.fields.push(String(name))
        return Reflect.get(of, name) as unknown
      },
    }),
  }
  return { counted, read }
}

const parameters = (count: number) => Array.from({ length: count }, (_, at) => `"@query-param";name="q${at}"`)
const CLAIM = ['from', 'signature', 'signature-input']

describe('bytes of somebody who is not known', () => {
  it.each<[string, string[]]>([
    ['components of the query', parameters(300)],
    ['a few components of the query', parameters(3)],
    ['a field as bytes', ['"x-long";bs']],
    ['a field as a structure', ['"content-digest";sf']],
    ['a member of a field', ['"content-digest";key="sha-256"']],
    ['a component twice', ['"from"']],
    ['more components than the profile has', Array.from({ length: 9 }, (_, at) => `"x-${at}"`)],
  ])('are refused before the address and any other field is read: %s', (_what, components) => {
    const { counted, read } = message(components)
    expect(requestSignature(counted, false)).toMatchObject({ kind: 'faulty', fault: 'signature-malformed' })
    expect(read.address).toBe(0)
    expect(read.fields.filter((name) => !CLAIM.includes(name))).toEqual([])
  })

  it('build no base while the signature is only claimed, and one with one parsed address once there is a key', () => {
    const { counted, read } = message(['"x-long"', '"@target-uri"', '"@request-target"', '"@scheme"'])
    const parses = jest.spyOn(URL, 'parse')
    const claimed = requestSignature(counted, false)
    if (claimed.kind !== 'claimed') throw new Error(claimed.detail)
    expect([read.address, parses.mock.calls.length, read.fields.includes('x-long')]).toEqual([0, 0, false])
    expect(claimed.verify(publicKey)).toBe('invalid')
    expect([parses.mock.calls.length, read.fields.filter((name) => name === 'x-long').length]).toEqual([1, 1])
    parses.mockRestore()
  })
})
