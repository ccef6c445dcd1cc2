import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { HttpRequestMessage } from '../../src/protocol/http-signature/message.js'
import { requestSignature, signRequest } from '../../src/protocol/http-signature/signed-request.js'
import { memberProof } from '../../src/protocol/sealed/member-proof.js'
import { medianMs } from './median-time.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const KEY = { domain: 'a.example', keyId: 'k1', privateKey }
const TIMES = { created: 1_000, expires: 1_060, nonce: 'abcdefghijklmnop' }
const UNSIGNED = { method: 'POST', targetUri: 'https://b.example/mimi/v1/update/room', target: 'b.example' }
const HONEST: HttpRequestMessage = { ...UNSIGNED, headers: signRequest(UNSIGNED, KEY, TIMES) }

/** The honest request with a long address, and with as many more components as fit into `characters`. */
function hostile(component: (index: number) => string, characters: number): HttpRequestMessage {
  const input = String(HONEST.headers['signature-input'])
  const components: string[] = []
  for (let length = input.length; length < characters; length += (components.at(-1)?.length ?? 0) + 1)
    components.push(component(components.length))
  const targetUri = `${HONEST.targetUri}?${Array.from({ length: 600 }, (_, index) => `q${index}=${index}`).join('&')}`
  const headers = {
    ...HONEST.headers,
    'signature-input': input.replace(')', ` ${components.slice(0, -1).join(' ')})`),
    cookie: 'x'.repeat(8_000),
  }
  return { ...HONEST, targetUri, headers }
}

/** A field that is covered, and of which almost nothing is left once blanks are taken from its ends. */
const blanks: HttpRequestMessage = {
  ...HONEST,
  headers: {
    ...HONEST.headers,
    'signature-input': String(HONEST.headers['signature-input']).replace(')', ' "x-pad")'),
    'x-pad': `a${' '.repeat(15_000)}b`,
  },
}

/** Read as it is when nothing stops it: with the base built and the signature checked. */
const whole = (one: HttpRequestMessage) => () => {
  const claimed = requestSignature({ ...one }, false)
  return claimed.kind === 'claimed' && claimed.verify(publicKey)
}
const parameter = (index: number) => `"@query-param";name="q${index}"`

describe('what any sender may write into the signature fields', () => {
  it.each<[string, HttpRequestMessage]>([
    ['300 components of the query', hostile(parameter, 8_000)],
    ['as many as fit', hostile(parameter, 2_000)],
    ['the longest field, encoded again and again', hostile(() => '"cookie";bs', 2_000)],
    ['a covered field of blanks', blanks],
    ['one component per character that counts', hostile((index) => `"${index.toString(36)}"`, 2_000)],
    [
      'signatures by the dozen',
      { ...HONEST, headers: { ...HONEST.headers, 'signature-input': Array.from({ length: 150 }, (_, at) => `s${at}=("a")`).join(',') } },
    ],
  ])('costs no more than a few honest requests: %s', (_what, message) => {
    expect(whole(HONEST)()).toBeTruthy()
    // The honest one is read, its base is built and its signature checked.
    expect(medianMs(whole(message))).toBeLessThan(3 * medianMs(whole(HONEST)))
  })

  it('builds nothing before somebody has been admitted: 100,000 characters that are covered cost what none do', () => {
    const long = { ...HONEST, targetUri: `${HONEST.targetUri}?${'x'.repeat(100_000)}` }
    const claim = (one: HttpRequestMessage) => () => requestSignature(one, false).kind
    expect(claim(long)()).toBe('claimed')
    expect(medianMs(claim(long))).toBeLessThan(3 * medianMs(claim(HONEST)))
  })

  it('costs a post without a sender no more than that either', () => {
    const input = (components: string) => ({
      ...HONEST,
      headers: { 'signature-input': `member=(${components});keyid="x"`, signature: 'member=:AAAA:' },
    })
    const many = input(Array.from({ length: 300 }, (_, index) => parameter(index)).join(' '))
    const proof = (one: HttpRequestMessage) => () => memberProof(one).kind
    expect(proof(many)()).toBe('faulty')
    expect(medianMs(proof(many))).toBeLessThan(3 * medianMs(whole(HONEST)))
  })
})
