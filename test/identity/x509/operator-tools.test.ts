import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals'
import { readAuthorities } from '../../../src/authentication/x509/authorities.repository.js'
import { AUTHORITY_PURPOSE, makeFirstAuthority } from '../../../src/authentication/x509/authority-rotation.js'
import { Secrets } from '../../../src/platform/secrets.js'
import { sha256 } from '../../../src/protocol/sha256.js'
import { examined, soundSettings } from '../../doctor/doctor-fixture.js'
import { cli } from '../../support/cli.js'
import { useTestDatabase } from '../../support/database.js'
import { now, testAuthority, uriName, type CertificateWish, type TestAuthority } from '../../support/mls/certificates.js'

const database = useTestDatabase()
const DAY = 86_400
const settings = (more: Record<string, string> = {}) => soundSettings(database.url, more)
const run = (command: string, more: Record<string, string> = {}) => cli(command, settings(more))
const secrets = () => new Secrets({ SERVER_SECRET: settings()['SERVER_SECRET'] })
const stored = () => readAuthorities(database.pool)

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))
beforeEach(() => database.pool.query('TRUNCATE x509_authority'))

/** Settings that name this authority, or another one's key with it. */
async function named({ certificate, key }: TestAuthority, of = key): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'microchat-x509-'))
  folders.push(folder)
  await writeFile(join(folder, 'ca.pem'), new X509Certificate(certificate).toString())
  await writeFile(join(folder, 'key.pem'), of.export({ type: 'pkcs8', format: 'pem' }))
  return { X509_CA_CERTIFICATE: join(folder, 'ca.pem'), X509_CA_KEY: join(folder, 'key.pem') }
}

/** The server's own, as if it were at another point of its life. */
async function own(wish: CertificateWish): Promise<void> {
  const { certificate, key } = testAuthority(wish)
  const sealed = secrets().seal(AUTHORITY_PURPOSE, key.export({ type: 'pkcs8', format: 'der' }))
  await database.pool.query(
    'INSERT INTO x509_authority (fingerprint, certificate, sealed_private, signs_from) VALUES ($1, $2, $3, now())',
    [sha256(certificate), certificate, sealed],
  )
}

describe('the doctor', () => {
  const lives: [string, number, Record<string, string>, RegExp][] = [
    ['for 31 days', 31.5 * DAY, {}, /^ok: The X\.509 authority.* lasts for 31 days\.$/],
    ['for 29 days', 29.5 * DAY, {}, /^warning: The X\.509 authority.* ends in 29 days\. /],
    ['less than a certificate', 6.5 * DAY, {}, /^warning: The X\.509 authority.* ends in 6 days, before the X509_LIFETIME/],
    ['longer than a short certificate', 6.5 * DAY, { X509_LIFETIME: '2d' }, /^warning: The X\.509 authority.* ends in 6 days\. /],
    ['no more', -1, {}, /^problem: The X\.509 authority.* has ended/],
  ]
  it.each(lives)('says of an authority of the server or its operator that lasts %s what to do', async (_case, seconds, more, says) => {
    const wish = { notBefore: now() - 500 * DAY, notAfter: now() + Math.floor(seconds) }
    await own(wish)
    expect((await examined(settings(more))).of('x509')).toEqual([expect.stringMatching(says)])
    const verdict = await examined(settings({ ...more, ...(await named(testAuthority(wish))) }))
    expect(verdict.of('x509')).toEqual([expect.stringMatching(says)])
    expect(verdict.of('x509').join()).toContain('X509_CA_CERTIFICATE')
  })

  it('finds no fault where there is none yet, or shall be none', async () => {
    expect((await examined(settings())).of('x509')).toEqual([expect.stringMatching(/^ok: No X\.509 authority issues yet/)])
    await own({ notAfter: now() - 1 })
    expect((await examined(settings({ X509_CREDENTIALS: 'off' }))).of('x509')).toEqual([
      expect.stringMatching(/^ok: Devices get no X\.509/),
    ])
  })

  it('says with which authority a server would not start', async () => {
    const foreign = await named(testAuthority({ permitted: [uriName('there.example')] }))
    expect((await examined(settings(foreign))).of('x509')).toEqual([expect.stringMatching(/^problem: Nobody would accept .*x509-issuer/)])
    const missing = { X509_CA_CERTIFICATE: '/nowhere', X509_CA_KEY: '/nowhere' }
    expect((await examined(settings(missing))).of('x509')).toEqual(['problem: X509_CA_CERTIFICATE names a file that cannot be read.'])
  })

  it('finds an authority whose key the secret does not open', async () => {
    const other = new Secrets({ SERVER_SECRET: Buffer.from('another secret, for other keys.. ').subarray(0, 32).toString('base64') })
    await makeFirstAuthority(database.pool, 'chat.example', other)
    expect((await examined(settings())).of('sealed keys')).toEqual([
      expect.stringMatching(/^problem: SERVER_SECRET does not open 1 of 1 keys/),
    ])
  })
})

describe('keys rotate-x509', () => {
  it('publishes another authority, which issues in an hour, once at a time', async () => {
    expect(await run('keys rotate-x509')).toMatchObject({ code: 0, out: 'A new authority is published, and issues in an hour.\n' })
    await run('keys rotate-x509')
    expect((await run('keys rotate-x509')).out).toBe('A rotation is under way already.\n')
    expect((await stored()).map(({ signs }) => signs)).toEqual([true, false])
  })

  it('--now leaves only the new one', async () => {
    await run('keys rotate-x509')
    const [old] = await stored()
    expect((await run('keys rotate-x509 --now')).out).toMatch(/^A new authority issues from now on\. What was issued before is refused/)
    const left = await stored()
    expect(left.map(({ signs }) => signs)).toEqual([true])
    expect(left[0]!.fingerprint.equals(old!.fingerprint)).toBe(false)
  })

  it('is not for a server without any; with its operator’s, it withdraws all others by --now', async () => {
    const off = await run('keys rotate-x509', { X509_CREDENTIALS: 'off' })
    expect(off).toMatchObject({ code: 1, err: 'X509_CREDENTIALS is off.\n' })
    const theirs = await run('keys rotate-x509', await named(testAuthority()))
    expect(theirs).toMatchObject({ code: 1, err: expect.stringContaining('X509_CA_CERTIFICATE') })
    expect(await stored()).toEqual([])
    await own({})
    expect((await run('keys rotate-x509 --now', await named(testAuthority()))).out).toMatch(
      /^Only the authority of X509_CA_CERTIFICATE counts/,
    )
    expect(await stored()).toEqual([])
  })
})

describe('keys show-x509', () => {
  it('shows what is published, what issues, and until when', async () => {
    expect((await run('keys show-x509')).out).toMatch(/^There is none yet/)
    for (const _ of [1, 2]) await run('keys rotate-x509')
    const [first, second] = await stored()
    const ends = [first, second].map((one) => new Date(new X509Certificate(one!.certificate).validTo).toISOString())
    expect((await run('keys show-x509')).out).toBe(
      `${first!.fingerprint.toString('hex')}  issues  what it has issued is over already  it ends ${ends[0]}\n` +
        `${second!.fingerprint.toString('hex')}  does not issue  what it has issued is over already  it ends ${ends[1]}\n`,
    )
  })

  it('shows its operator’s, and that none of the server’s own issues then', async () => {
    await run('keys rotate-x509')
    const authority = testAuthority()
    const end = new Date(new X509Certificate(authority.certificate).validTo).toISOString()
    const { out } = await run('keys show-x509', await named(authority))
    expect(out.split('\n')).toEqual([
      `That of X509_CA_CERTIFICATE issues, and ends ${end}.`,
      expect.stringMatching(/^[0-9a-f]{64} {2}does not issue /),
      '',
    ])
  })
})
