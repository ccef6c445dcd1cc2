import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { issueCertificate, makeAuthority } from '../../../src/authentication/x509/issuing.js'
import { signaturePublicKey } from '../../../src/protocol/mls/signature.js'
import { clientNamedIn, decodeCertificate } from '../../../src/protocol/x509/certificate.js'
import { checkChain } from '../../../src/protocol/x509/chain.js'
import { encodeDer } from '../../../src/protocol/x509/der.js'
import {
  certificate,
  deviceCertificate,
  extension,
  now,
  p256,
  signed,
  testAuthority,
  uriName,
  type CertificateWish,
  type TestAuthority,
} from '../../support/mls/certificates.js'

const PHONE = 'mimi://here.example/d/alice/phone'
const key = p256()
const authority = testAuthority({ permitted: [uriName('here.example')] })

async function judged(certificates: readonly Uint8Array[], authorities: readonly TestAuthority[] = [authority], of: KeyObject = key) {
  const leaf = { certificates, signatureKey: signaturePublicKey(of) }
  const verdict = await checkChain(
    leaf,
    authorities.map((one) => one.certificate),
    BigInt(now()),
  )
  return verdict.kind === 'valid' ? verdict.client : verdict.rule
}

const device = (wish: CertificateWish = {}, issuer = authority) => deviceCertificate(issuer, key, PHONE, wish)

describe('a chain', () => {
  it('shows that the key is the client’s, with and without the authority in it', async () => {
    expect(await judged([device()])).toBe(PHONE)
    expect(await judged([device(), authority.certificate])).toBe(PHONE)
    const other = testAuthority()
    expect(await judged([device({}, other)], [authority, other])).toBe(PHONE)
  })

  it('may go by one or two authorities in between, as deep as each allows', async () => {
    const root = testAuthority({ pathLength: 1 })
    const middle = testAuthority({ pathLength: 0 }, root)
    const lower = testAuthority({}, middle)
    expect(await judged([device({}, middle), middle.certificate], [root])).toBe(PHONE)
    expect(await judged([device({}, lower), lower.certificate, middle.certificate], [root])).toBe('x509-issuer')
    const free = testAuthority()
    const [second, third] = [testAuthority({}, free)].flatMap((one) => [one, testAuthority({}, one)]) as [TestAuthority, TestAuthority]
    expect(await judged([device({}, third), third.certificate, second.certificate], [free])).toBe(PHONE)
    const fourth = testAuthority({}, third)
    const long = [device({}, fourth), fourth.certificate, third.certificate, second.certificate]
    expect(await judged(long, [free])).toBe('x509-encoding')
  })

  it.each(['ed25519', 'ed448', 'P-256', 'P-384', 'P-521'])('is issued and read for a key of %s', async (kind) => {
    const { privateKey, publicKey } = kind.startsWith('P')
      ? generateKeyPairSync('ec', { namedCurve: kind })
      : generateKeyPairSync(kind as 'ed25519')
    const issuer = await makeAuthority('here.example:8443', new Date())
    const times = { now: new Date(), notAfter: new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000) }
    const made = await issueCertificate(issuer, 'mimi://here.example:8443/d/alice/phone', publicKey, times)
    const authorities = [issuer.certificate]
    const verdict = await checkChain({ certificates: [made], signatureKey: signaturePublicKey(privateKey) }, authorities, BigInt(now()))
    const notAfter = BigInt(times.notAfter.getTime() / 1000)
    expect(verdict).toEqual({ kind: 'valid', client: 'mimi://here.example:8443/d/alice/phone', notAfter })
    const elsewhere = await issueCertificate(issuer, 'mimi://there.example/d/alice/phone', publicKey, times)
    const foreign = { certificates: [elsewhere], signatureKey: signaturePublicKey(privateKey) }
    expect(await checkChain(foreign, authorities, BigInt(now()))).toEqual({ kind: 'broken', rule: 'x509-issuer' })
    // A device has no authority's rights.
    const below = { name: '', key: privateKey, certificate: made }
    if (kind === 'P-256') expect(await judged([device({}, below), made], [{ ...authority, ...issuer }])).toBe('x509-issuer')
  })
})

describe('refused by name', () => {
  const mallory = testAuthority({ subject: authority.name })
  const cases: [string, string, () => readonly Uint8Array[]][] = [
    ['no certificate', 'x509-encoding', () => []],
    ['an authority that the domain does not publish, of the same name', 'x509-issuer', () => [device({}, mallory)]],
    ['that one in the chain', 'x509-issuer', () => [device({}, mallory), mallory.certificate]],
    ['a key that is another one', 'x509-key', () => [deviceCertificate(authority, p256(), PHONE)]],
    ['two URIs', 'x509-client', () => [device({ uris: [PHONE, 'mimi://here.example/d/bob/phone'] })]],
    ['a host name besides', 'x509-client', () => [device({ otherNames: [encodeDer(0x82, Buffer.from('here.example'))] })]],
    ['no name', 'x509-client', () => [device({ uris: [] })]],
    ['a user URI', 'x509-client', () => [device({ uris: ['mimi://here.example/u/alice'] })]],
    ['a name that is not critical where there is no subject', 'x509-client', () => [device({ sanCritical: false })]],
    ['a text that hides another URI', 'x509-client', () => [device({ uris: [`${PHONE},URI:mimi://here.example/d/bob/phone`] })]],
    ['a NUL in the URI', 'x509-encoding', () => [device({ uris: [`${PHONE}\0`] })]],
    ['no usage', 'x509-usage', () => [device({ usage: undefined })]],
    ['a usage for encryption', 'x509-usage', () => [device({ usage: 0x20 })]],
    ['the right to sign certificates', 'x509-usage', () => [device({ usage: 0x84 })]],
    ['an authority’s certificate', 'x509-usage', () => [device({ authority: true })]],
    ['one that is over', 'x509-validity', () => [device({ notBefore: now() - 90, notAfter: now() - 1 })]],
    ['one that has not begun', 'x509-validity', () => [device({ notBefore: now() + 60 })]],
    ['one for more than 31 days', 'x509-validity', () => [device({ notAfter: now() + 31 * 86_400 })]],
    ['an unknown critical extension', 'x509-critical', () => [device({ extensions: [extension('2a0304', true, new Uint8Array())] })]],
    [
      'an extension twice',
      'x509-encoding',
      () => [device({ extensions: [extension('2a0304', false, new Uint8Array()), extension('2a0304', false, new Uint8Array())] })],
    ],
    ['one of more than 4,096 bytes', 'x509-encoding', () => [device({ extensions: [extension('2a0304', false, new Uint8Array(4_096))] })]],
    ['a byte behind it', 'x509-encoding', () => [Buffer.concat([device(), Buffer.of(0)])]],
    ['a length in a longer form', 'x509-encoding', () => [longer(device())]],
  ]
  it.each(cases)('%s: %s', async (_case, rule, certificates) => {
    expect(await judged(certificates())).toBe(rule)
  })

  const authorities: [string, CertificateWish, string][] = [
    ['not for this host', { permitted: [uriName('there.example')] }, 'x509-issuer'],
    ['for hosts below this one', { permitted: [uriName('.here.example')] }, 'x509-issuer'],
    ['for all but this host', { excluded: [uriName('here.example')] }, 'x509-issuer'],
    ['without the right to sign certificates', { usage: 0x80 }, 'x509-issuer'],
    ['that is none', { authority: false }, 'x509-issuer'],
    ['that is over', { notBefore: now() - 90, notAfter: now() - 1 }, 'x509-validity'],
    ['with an unknown critical extension', { extensions: [extension('2a0304', true, new Uint8Array())] }, 'x509-critical'],
  ]
  it.each(authorities)('an authority %s', async (_case, wish, rule) => {
    const other = testAuthority(wish)
    expect(await judged([device({}, other)], [other])).toBe(rule)
  })

  it('an authority in between that may not go as far, or is of nobody', async () => {
    const limited = testAuthority({ permitted: [uriName('there.example')] }, authority)
    const stolen = { ...testAuthority(), name: 'stolen' }
    expect(await judged([device({}, limited), limited.certificate])).toBe('x509-issuer')
    expect(await judged([device({}, stolen), certificate(stolen, stolen.key, { subject: 'stolen', authority: true, usage: 4 })])).toBe(
      'x509-issuer',
    )
    // The device certificate of somebody as if it were an authority.
    const below = { name: 'device', key, certificate: device({ subject: 'device' }) }
    expect(await judged([device({}, below), below.certificate])).toBe('x509-issuer')
  })

  it('an authority for directory names, where the subject is one', async () => {
    const other = testAuthority({ permitted: [encodeDer(0xa4, encodeDer(0x30))] })
    expect(await judged([device({}, other)], [other])).toBe(PHONE)
    expect(await judged([device({ subject: 'alice' }, other)], [other])).toBe('x509-issuer')
  })

  it('a signature algorithm inside that is not the one outside', async () => {
    const decoded = decodeCertificate(device())
    if (decoded.kind === 'malformed') throw new Error(decoded.reason)
    const sha384 = Buffer.from('300a06082a8648ce3d040303', 'hex')
    expect(await judged([signed(decoded.value.tbs, sha384, authority.key)])).toBe('x509-encoding')
  })
})

describe('hostile bytes', () => {
  it('are answered, and a changed certificate is never valid', async () => {
    const good = device()
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(4), async (at, mask, cut) => {
        const changed = Buffer.from(good.subarray(0, cut === 0 ? at : good.length))
        if (cut !== 0) changed[at] = (changed[at] ?? 0) ^ mask
        expect(await judged([changed])).toMatch(/^x509-/)
      }),
      { numRuns: 2_000 },
    )
  })

  it('of any kind decode to nothing or to one certificate, and name at most one client', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const decoded = decodeCertificate(bytes)
        if (decoded.kind === 'decoded') clientNamedIn(decoded.value)
      }),
      { numRuns: 2_000 },
    )
  })
})

/** The outer length, which takes two bytes, in three. */
function longer(bytes: Uint8Array): Uint8Array {
  expect(bytes[1]).toBe(0x82)
  return Buffer.concat([Buffer.of(0x30, 0x83, 0), bytes.subarray(2)])
}
