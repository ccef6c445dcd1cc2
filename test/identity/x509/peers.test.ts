import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { makeFirstAuthority, replaceAuthoritiesNow } from '../../../src/authentication/x509/authority-rotation.js'
import { Authorities } from '../../../src/authentication/x509/authorities.js'
import { issueCertificate } from '../../../src/authentication/x509/issuing.js'
import { X509Credentials } from '../../../src/authentication/x509/x509-credentials.js'
import { readKeyDirectory, type SignedKeyDirectory } from '../../../src/federation/identity/directory-document.js'
import { setPolicy } from '../../../src/federation/peers/peers.repository.js'
import { Secrets } from '../../../src/platform/secrets.js'
import { importSignatureKey, signaturePublicKey } from '../../../src/protocol/mls/signature.js'
import { deviceCertificate, p256, testAuthority } from '../../support/mls/certificates.js'
import { providersOfNodes, type ProviderOfNodes } from '../../support/nodes.js'
import type { TestServer } from '../../support/server.js'
import { showDirectory } from '../../support/shown-directory.js'

let [a, b] = [] as unknown as [ProviderOfNodes, ProviderOfNodes]
let theirs: TestServer
beforeAll(async () => {
  ;[a, b] = (await providersOfNodes(2)) as [ProviderOfNodes, ProviderOfNodes]
  theirs = await a.node()
})
afterEach(() => {
  a.proxy.fault = 'none'
  return Promise.all([a.keepOnly(theirs), b.keepOnly()])
})
afterAll(() => Promise.all([a.close(), b.close()]))

const key = p256()
const rogue = testAuthority()
const phone = (domain: string) => `mimi://${domain}/d/alice/phone`

async function certifiedBy(server: TestServer, client: string): Promise<Uint8Array> {
  const publicKey = importSignatureKey(0x0403, signaturePublicKey(key))
  const issuer = await server.app.get(Authorities, { strict: false }).issuing()
  return issueCertificate(issuer, client, publicKey!, { now: new Date(), notAfter: new Date(Date.now() + 86_400_000) })
}

/** What a node says of a leaf. */
async function judged(server: TestServer, ...certificates: Uint8Array[]): Promise<string> {
  const credentials = server.app.get(X509Credentials, { strict: false })
  const verdict = await credentials.check({ certificates, signatureKey: signaturePublicKey(key) })
  return verdict.kind === 'valid' ? verdict.client : verdict.rule
}

/** What stands at a's domain from now on. */
const show = (authorities: readonly Uint8Array[]) => showDirectory(a, theirs, { authorities })

describe('a peer', () => {
  it('vouches for its own clients, by its signed directory', async () => {
    const certificate = await certifiedBy(theirs, phone(a.domain))
    expect(await judged(await b.node(), certificate)).toBe(phone(a.domain))
  })

  it('is asked again where its authority is new', async () => {
    const node = await b.node()
    expect(await judged(node, await certifiedBy(theirs, phone(a.domain)))).toBe(phone(a.domain))
    await replaceAuthoritiesNow(a.database.pool, a.domain, new Secrets(theirs.config))
    const old = theirs
    theirs = await a.node()
    await a.keepOnly(theirs)
    expect(await judged(node, await certifiedBy(theirs, phone(a.domain)))).toBe(phone(a.domain))
    expect(old).not.toBe(theirs)
  })

  it('that is hostile vouches for its own clients, and neither for ours nor for a third provider’s', async () => {
    await show([rogue.certificate])
    const node = await b.node()
    await makeFirstAuthority(b.database.pool, b.domain, new Secrets(node.config))
    expect(await judged(node, deviceCertificate(rogue, key, phone(a.domain)))).toBe(phone(a.domain))
    for (const domain of [b.domain, 'third.example'])
      expect(await judged(node, deviceCertificate(rogue, key, phone(domain)), rogue.certificate)).toBe('x509-issuer')
    // Our own authority, which is limited to our host, does not vouch for its clients either.
    expect(await judged(node, await certifiedBy(node, phone(a.domain)))).toBe('x509-issuer')
    expect(await judged(node, await certifiedBy(node, phone(b.domain)))).toBe(phone(b.domain))
  })

  it.each<[string, (payload: Record<string, unknown>) => void, number]>([
    ['no authorities', () => undefined, 0],
    [
      'too many',
      (payload) => (payload['x509_authorities'] = Array.from({ length: 5 }, () => Buffer.from(rogue.certificate).toString('base64url'))),
      0,
    ],
    ['one that is too long', (payload) => (payload['x509_authorities'] = ['A'.repeat(4_000)]), 0],
    ['no list', (payload) => (payload['x509_authorities'] = { sub: 'prime' }), 0],
    ['certificates that are none', (payload) => (payload['x509_authorities'] = ['AAAA']), 1],
  ])('with %s has none, and is a peer all the same', async (_case, change, count) => {
    const answer = await fetch(`${theirs.url}/.well-known/mimi-protocol-directory`)
    const { key_directory: signed } = (await answer.json()) as { key_directory: SignedKeyDirectory }
    const payload = JSON.parse(Buffer.from(signed.payload, 'base64url').toString()) as Record<string, unknown>
    delete payload['x509_authorities']
    change(payload)
    const read = readKeyDirectory({ payload: Buffer.from(JSON.stringify(payload)).toString('base64url'), signatures: [] as never })
    expect(read?.keys.length).toBeGreaterThan(0)
    expect(read?.x509_authorities?.length ?? 0).toBe(count)
    const authorities = (read?.x509_authorities ?? []).map((one) => Buffer.from(one, 'base64url'))
    await show(authorities)
    const node = await b.node()
    await b.database.pool.query(`UPDATE peer SET fetched_at = fetched_at - interval '2 hours'`)
    expect(await judged(node, deviceCertificate(rogue, key, phone(a.domain)))).toBe('x509-issuer')
  })

  it('that is denied has no authorities here', async () => {
    await b.node()
    await setPolicy(b.database.pool, a.domain, 'deny')
    const node = await b.node({ FEDERATION: 'deny-list' })
    expect(await judged(node, await certifiedBy(theirs, phone(a.domain)))).toBe('x509-issuer')
    await setPolicy(b.database.pool, a.domain, null)
  })
})
