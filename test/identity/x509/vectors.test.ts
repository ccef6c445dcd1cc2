import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { ruleBroken } from '../../../examples/client/x509/chain.js'
import { checkChain } from '../../../src/protocol/x509/chain.js'
import { X509_RULES } from '../../../src/protocol/x509/rules.js'
import { makeVectors, type X509Vector } from './vectors.js'

const FILE = new URL('vectors.json', import.meta.url)
if (process.env['WRITE_VECTORS']) writeFileSync(FILE, `${JSON.stringify(makeVectors(), undefined, 2)}\n`)
const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as X509Vector[]

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

/** The example client asks for authorities by domain, and does not apply their name constraints (docs/x509.md §6). */
const OF_SERVERS = ['an authority of another host']

it('the vectors are those that their maker makes (WRITE_VECTORS=1 writes them, and then `npm run format`)', () => {
  expect(vectors).toEqual(makeVectors())
})

it.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (name, vector) => {
  const leaf = { certificates: vector.certificates.map(bytes), signatureKey: bytes(vector.signature_key) }
  const authorities = vector.authorities.map(bytes)
  const verdict = await checkChain(leaf, authorities, BigInt(vector.now))
  if (verdict.kind === 'broken') expect(verdict.rule).toBe(vector.result)
  else expect(['valid', verdict.client, Number(verdict.notAfter)]).toEqual([vector.result, vector.client, vector.not_after])
  if (OF_SERVERS.includes(name)) return
  expect((await ruleBroken(leaf, authorities, vector.now * 1000)) ?? 'valid').toBe(vector.result)
})

it('every rule for a chain is broken by one of them, and no two have one name', () => {
  // That one is for KeyPackages, which the vectors say by `not_after`.
  const rules = Object.keys(X509_RULES).filter((rule) => rule !== 'x509-lifetime')
  expect([...new Set(vectors.map(({ result }) => result))].toSorted()).toEqual(['valid', ...rules].toSorted())
  expect(new Set(vectors.map(({ name }) => name)).size).toBe(vectors.length)
})
