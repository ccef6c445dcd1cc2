import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Authorities } from '../../../src/authentication/x509/authorities.js'
import { replaceAuthoritiesNow, rotateAuthority } from '../../../src/authentication/x509/authority-rotation.js'
import { Metrics } from '../../../src/platform/observability/metrics.js'
import { Secrets } from '../../../src/platform/secrets.js'
import { checkChain } from '../../../src/protocol/x509/chain.js'
import { Http, newKey, TestDevice, typeOf, UNLIMITED } from '../../authentication/device-fixture.js'
import { cli } from '../../support/cli.js'
import { createTestDatabase, type TestDatabase } from '../../support/database.js'
import { deviceCertificate, now, testAuthority, uriName, type TestAuthority } from '../../support/mls/certificates.js'
import { privateKey } from '../../support/mls/device-lists.js'
import { startServer, type TestServer } from '../../support/server.js'
import { ListedAccount, refusalOf } from '../listed-account.js'
import { ask, authoritiesOf, issued, upload } from './x509-fixture.js'

let database: TestDatabase
let server: TestServer
let secrets: Secrets
const others: TestServer[] = []
beforeAll(async () => {
  database = await createTestDatabase()
  server = await startServer(UNLIMITED, { database })
  secrets = server.app.get(Secrets, { strict: false })
})
afterEach(async () => {
  for (const one of others.splice(0)) await one.close()
})
afterAll(async () => {
  await server.close()
  await database.drop()
})

async function another(settings: Record<string, string>): Promise<TestServer> {
  const one = await startServer({ ...UNLIMITED, ...settings }, { database })
  others.push(one)
  return one
}

const node = () => new Authorities(database.pool, { ...server.config }, secrets, new Metrics())

async function judged(device: TestDevice, certificates: readonly Uint8Array[], authorities: readonly Uint8Array[]): Promise<string> {
  const verdict = await checkChain({ certificates, signatureKey: device.key.publicKey }, authorities, BigInt(now()))
  return verdict.kind === 'valid' ? verdict.client : verdict.rule
}

describe('a device', () => {
  it('gets a certificate for its key, which another reader of X.509 takes as well', async () => {
    const device = await TestDevice.registered(server.url)
    const { certificates, not_after } = await issued(device)
    const authorities = await authoritiesOf(device)
    expect(await judged(device, certificates, authorities)).toBe(device.client)
    expect(not_after - now()).toBeGreaterThan(7 * 86_400 - 60)
    const [leaf, authority] = [new X509Certificate(certificates[0]!), new X509Certificate(authorities[0]!)]
    expect(leaf.checkIssued(authority) && leaf.verify(authority.publicKey)).toBe(true)
    expect([leaf.ca, authority.ca, leaf.subjectAltName, leaf.subject]).toEqual([false, true, `URI:${device.client}`, undefined])
  })

  it('gets none for a key that is another device’s, unknown or retired', async () => {
    const [device, other] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    expect(typeOf(await ask(device, other.key.publicKey))).toBe('not-found')
    expect(typeOf(await ask(device, newKey().publicKey))).toBe('not-found')
    expect(typeOf(await ask(device, Buffer.alloc(7)))).toBe('not-found')
    await database.pool.query('UPDATE signature_key SET revoked_at = now() WHERE public_key = $1', [device.key.publicKey])
    expect(typeOf(await ask(device))).toBe('not-found')
  })

  it('gets none once it is revoked, or without a session', async () => {
    const device = await TestDevice.registered(server.url)
    expect((await new Http(server.url).call('POST', '/v1/credentials/x509', { body: {} })).status).toBe(401)
    await device.addDevice('laptop')
    await device.call('DELETE', '/v1/devices/phone')
    expect((await ask(device)).status).toBe(401)
  })

  it('gets it for as long as its own list certifies the key, and else none', async () => {
    const account = await ListedAccount.registered(server.url)
    expect(await judged(account.phone, (await issued(account.phone)).certificates, await authoritiesOf(account.phone))).toBe(
      account.phone.client,
    )
    const soon = { notBefore: BigInt(now() - 60), notAfter: BigInt(now() + 3_600) }
    const renewed = await account.list.certify(account.holder, account.phone.client, account.phone.key.privateKey, soon)
    const after = new ListedAccount(account.phone, account.list, renewed)
    expect((await after.append(account.list.number)).status).toBe(200)
    expect((await issued(account.phone)).not_after).toBe(Number(soon.notAfter))
    // As if it had been there before the list, which never certified it.
    await database.pool.query(`UPDATE device_certificate SET ended = 1 WHERE device_id = (SELECT id FROM device WHERE client_uri = $1)`, [
      account.phone.client,
    ])
    expect(typeOf(await ask(account.phone))).toBe('key-uncertified')
  })

  it('is counted', async () => {
    const { url } = await another({ LIMITS: 'device-certificates=2' })
    const device = await TestDevice.registered(url)
    expect([(await ask(device)).status, (await ask(device)).status, typeOf(await ask(device))]).toEqual([200, 200, 'rate-limited'])
  })

  it('gets none where the operator wants none, and what was issued is refused there', async () => {
    const { url } = await another({ X509_CREDENTIALS: 'off' })
    const device = await TestDevice.registered(url)
    expect([typeOf(await ask(device)), await authoritiesOf(device)]).toEqual(['not-found', []])
    const { certificates } = await issued(new ServerOf(server.url).device(device))
    expect(refusalOf(await upload(device, certificates))).toBe('x509-issuer')
  })
})

describe('a KeyPackage', () => {
  it('has the credential, for no longer than its certificate lasts', async () => {
    const device = await TestDevice.registered(server.url)
    const { certificates, not_after } = await issued(device)
    expect((await upload(device, certificates)).status).toBe(201)
    expect((await upload(device, certificates, not_after)).status).toBe(201)
    expect(refusalOf(await upload(device, certificates, not_after + 1))).toBe('x509-lifetime')
  })

  it('has none of another device, authority or time', async () => {
    const [device, other] = [await TestDevice.registered(server.url), await TestDevice.registered(server.url)]
    const own = await issued(device)
    expect(refusalOf(await upload(other, own.certificates))).toBe('credential')
    const rogue = testAuthority({ permitted: [uriName('localhost')] })
    const key = device.key.privateKey
    expect(refusalOf(await upload(device, [deviceCertificate(rogue, key, device.client)]))).toBe('x509-issuer')
    expect(refusalOf(await upload(device, [deviceCertificate(rogue, key, device.client), rogue.certificate]))).toBe('x509-issuer')
    expect(refusalOf(await upload(device, [deviceCertificate(rogue, other.key.privateKey, device.client)]))).toBe('x509-key')
    // The device's own certificate as an authority for another name.
    const below: TestAuthority = { name: '', key, certificate: own.certificates[0]! }
    expect(refusalOf(await upload(other, [deviceCertificate(below, other.key.privateKey, other.client), below.certificate]))).toBe(
      'x509-issuer',
    )
    expect(refusalOf(await upload(device, []))).toBe('credential')
  })
})

describe('the authority', () => {
  it('is made once, however many nodes need it at once, and its key is sealed', async () => {
    await database.pool.query('DELETE FROM x509_authority')
    const made = await Promise.all(Array.from({ length: 8 }, () => node().issuing()))
    expect(new Set(made.map(({ certificate }) => Buffer.from(certificate).toString('hex'))).size).toBe(1)
    const { rows } = await database.pool.query<{ sealed_private: Buffer }>('SELECT sealed_private FROM x509_authority')
    expect(rows).toHaveLength(1)
    expect(() => createPrivateKey({ key: rows[0]!.sealed_private, format: 'der', type: 'pkcs8' })).toThrow()
  })

  it('is followed by another one, beside which it stays until what it has issued is over', async () => {
    await replaceAuthoritiesNow(database.pool, 'localhost', secrets)
    const { url } = await another({})
    const device = await TestDevice.registered(url)
    const [old] = await authoritiesOf(device)
    const before = await issued(device)
    expect(await rotateAuthority(database.pool, 'localhost', secrets)).toBe('rotated')
    expect(await rotateAuthority(database.pool, 'localhost', secrets)).toBe('waiting')
    // As if the hour in which peers hear of it had passed.
    await database.pool.query(
      `UPDATE x509_authority SET signs_from = signs_from - interval '2 hours', signs_until = signs_until - interval '2 hours'`,
    )
    const later = await another({})
    const second = await TestDevice.registered(later.url)
    const authorities = await authoritiesOf(second)
    expect(authorities).toHaveLength(2)
    const after = await issued(second)
    expect(await judged(second, after.certificates, [old!])).toBe('x509-issuer')
    expect(await judged(second, after.certificates, authorities)).toBe(second.client)
    expect((await upload(device, before.certificates)).status).toBe(201)
    await database.pool.query(`UPDATE x509_authority SET issued_until = now() - interval '1 second' WHERE signs_until < now()`)
    expect((await node().published()).map((one) => Buffer.compare(one, old!) === 0)).toEqual([false])
  })

  it('that was replaced at once vouches for nothing more, also on a node that knew it', async () => {
    const { url } = await another({})
    const device = await TestDevice.registered(url)
    const { certificates } = await issued(device)
    expect((await upload(device, certificates)).status).toBe(201)
    await replaceAuthoritiesNow(database.pool, 'localhost', secrets)
    // The node issues by none that was withdrawn: it asks before each certificate.
    const fresh = await node().published()
    expect(await judged(device, (await issued(device)).certificates, fresh)).toBe(device.client)
    expect(await judged(device, certificates, fresh)).toBe('x509-issuer')
  })
})

describe('the operator’s own authority', () => {
  const files = async (chain: readonly TestAuthority[], key = chain[0]!.key) => {
    const folder = await mkdtemp(join(tmpdir(), 'microchat-x509-'))
    const pem = chain.map(({ certificate }) => new X509Certificate(certificate).toString()).join('')
    await writeFile(join(folder, 'ca.pem'), pem)
    await writeFile(join(folder, 'key.pem'), key.export({ type: 'pkcs8', format: 'pem' }))
    folders.push(folder)
    return { X509_CA_CERTIFICATE: join(folder, 'ca.pem'), X509_CA_KEY: join(folder, 'key.pem') }
  }
  const folders: string[] = []
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

  it('issues, from below one that is published, beside what was issued before', async () => {
    const before = await TestDevice.registered(server.url)
    const old = await issued(before)
    const root = testAuthority()
    const settings = await files([testAuthority({ pathLength: 0 }, root), root])
    const { url } = await another(settings)
    const device = await TestDevice.registered(url)
    const { certificates } = await issued(device)
    expect(certificates).toHaveLength(2)
    expect(await judged(device, certificates, [root.certificate])).toBe(device.client)
    expect((await upload(device, certificates)).status).toBe(201)
    expect((await upload(new ServerOf(url).device(before), old.certificates)).status).toBe(201)
    // A node that does not have it yet knows it by the database.
    expect((await upload(new ServerOf(server.url).device(device), certificates)).status).toBe(201)
  })

  it('that was stolen is withdrawn, when another one is in its place', async () => {
    const [stolen, next] = [await files([testAuthority()]), await files([testAuthority()])]
    const { url: first } = await another(stolen)
    const device = await TestDevice.registered(first)
    const { certificates } = await issued(device)
    const before = await another(next)
    const there = new ServerOf(before.url).device(device)
    expect((await upload(there, certificates)).status).toBe(201)
    const environment = { DATABASE_URL: database.url, DOMAIN: 'localhost', SERVER_SECRET: Buffer.alloc(32, 1).toString('base64'), ...next }
    expect((await cli('keys rotate-x509', environment)).err).toContain('put another one there')
    expect(await cli('keys rotate-x509 --now', environment)).toMatchObject({ code: 0, err: '' })
    const { url: after } = await another(next)
    expect(refusalOf(await upload(new ServerOf(after).device(device), certificates))).toBe('x509-issuer')
  })

  it.each<[string, () => Promise<Record<string, string>>, string]>([
    ['of another domain', () => files([testAuthority({ permitted: [uriName('there.example')] })]), 'x509-issuer'],
    ['that is none', () => files([testAuthority({ authority: false })]), 'x509-issuer'],
    ['that is over', () => files([testAuthority({ notAfter: now() - 1 })]), 'x509-validity'],
    ['with another key', () => files([testAuthority()], testAuthority().key), 'x509-issuer'],
    ['with a key that cannot sign', () => files([testAuthority()], privateKey()), 'ECDSA P-256'],
    ['that does not exist', () => Promise.resolve({ X509_CA_CERTIFICATE: '/nowhere', X509_CA_KEY: '/nowhere' }), 'cannot be read'],
  ])('is not taken if it is one %s', async (_case, make, why) => {
    await expect(startServer({ ...UNLIMITED, ...(await make()) }, { database })).rejects.toThrow(why)
  })
})

/** The same device at another node. */
class ServerOf {
  constructor(private readonly url: string) {}

  device({ name, device, keys, accessToken }: TestDevice): TestDevice {
    return Object.assign(new TestDevice(new Http(this.url), name, device, keys), { accessToken })
  }
}
