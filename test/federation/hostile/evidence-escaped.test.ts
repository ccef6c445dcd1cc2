import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { ProviderKeys } from '../../../src/federation/identity/provider-keys.js'
import { eventually } from '../../support/eventually.js'
import { useFederation } from '../../support/federated-world.js'
import { evidenceOf, heldGroup, noise, push, rotate } from './evidence-fixture.js'

// A hub that has shown as many directories as it may (24 a day, three weeks long), and then contradicts itself. PostgreSQL ends transactions that are idle
// for five seconds (src/platform/postgres/role-settings.ts); the check of the file takes longer, inside of one, without a word to PostgreSQL. The follower
// here would have taken each of these directories, one after the other: they are put where it would have kept them.

const federated = useFederation(2)

const KEYS = 16
const COUNT = 500

interface Key {
  kid: string
  x: string
  privateKey: KeyObject
}
type Signer = (bytes: Uint8Array) => Promise<Uint8Array> | Uint8Array

const headerOf = (kid: string) => Buffer.from(JSON.stringify({ alg: 'EdDSA', kid, typ: 'mimi-key-directory' })).toString('base64url')

async function documentOf(
  content: object,
  signers: readonly (readonly [string, Signer])[],
  names: readonly string[] = [],
): Promise<string> {
  const payload = Buffer.from(JSON.stringify(content)).toString('base64url')
  const signatures = []
  for (const [kid, signer] of signers) {
    const head = headerOf(kid)
    signatures.push({ protected: head, signature: Buffer.from(await signer(Buffer.from(`${head}.${payload}`))).toString('base64url') })
  }
  for (const kid of names) signatures.push({ protected: headerOf(kid), signature: signatures[0]!.signature })
  return JSON.stringify({ payload, signatures })
}

it('a contradiction of a hub with as many directories as it may have is kept, and stops the group', async () => {
  const { hub, follower, after, groupId, epoch } = await heldGroup(federated)
  const { pool } = follower
  const own = hub.app.get(ProviderKeys)
  const ownKey = async () => {
    const { keyId } = await own.signer()
    const { publicKey } = (await own.published()).find((key) => key.keyId === keyId)!
    const signer: Signer = async (bytes) => (await own.signBytes(bytes)).signature
    return { kid: keyId, x: Buffer.from(publicKey).toString('base64url'), signer }
  }
  const { rows } = await pool.query<{ issued: Date; expires: Date }>(
    'SELECT issued_at AS issued, expires_at AS expires FROM kept_directory WHERE domain = $1 ORDER BY issued_at DESC LIMIT 1',
    [hub.domain],
  )
  const [issued, expires] = [rows[0]!.issued.getTime() / 1000, rows[0]!.expires.getTime() / 1000]
  const content = (keys: readonly { kid: string; x: string }[], padding = 0) => ({
    domain: hub.domain,
    issued_at: issued,
    expires_at: expires,
    keys: keys.map(({ kid, x }) => ({ kid, x, nbf: 0 })),
    endpoints: { padding: 'x'.repeat(padding) },
  })
  const made = Array.from({ length: COUNT }, (_, number) =>
    Array.from({ length: KEYS }, (__, index): Key => {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519')
      return { kid: `${number}-${index}`, x: publicKey.export({ format: 'jwk' }).x!, privateKey }
    }),
  )
  const by = ({ kid, privateKey }: Key) => [kid, (bytes: Uint8Array) => sign(null, bytes, privateKey)] as const

  const first = await ownKey()
  await pool.query('UPDATE kept_directory SET document = $2 WHERE domain = $1', [
    hub.domain,
    await documentOf(content([first]), [[first.kid, first.signer]]),
  ])
  for (const [number, keys] of made.entries()) {
    const before = number === 0 ? ([first.kid, first.signer] as const) : by(made[number - 1]![0]!)
    const names = Array.from({ length: 64 - KEYS - 1 }, (_, at) => `${(number * 47 + at * 11) % COUNT}-${1 + (at % (KEYS - 1))}`)
    const document = await documentOf(content(keys, 18_000), [...keys.map(by), before], names)
    await pool.query(
      `INSERT INTO kept_directory (domain, hash, keys, key_ids, changed, issued_at, expires_at, document, kept_at)
       VALUES ($1, $2, '{}', '{}', true, $3, $4, $5, now() - interval '30 days')`,
      [hub.domain, createHash('sha256').update(document).digest(), rows[0]!.issued, rows[0]!.expires, document],
    )
  }
  await rotate(hub, follower, 3_600_000)
  const second = await ownKey()
  await eventually(
    () => push(hub, follower, after(2n)),
    (answer) => answer.status === 200,
  )
  await pool.query('UPDATE kept_directory SET document = $3 WHERE domain = $1 AND $2 = ANY (key_ids)', [
    hub.domain,
    second.kid,
    await documentOf({ ...content([second]) }, [[second.kid, second.signer], by(made.at(-1)![0]!)]),
  ])
  const { rows: named } = await pool.query<{ name: string }>('SELECT current_database() AS name')
  await pool.query(`ALTER DATABASE "${named[0]!.name}" SET idle_in_transaction_session_timeout = '5s'`)
  await pool
    .query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()')
    .catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 2_000))

  const lie = { ...after(2n), entries: [noise(groupId, epoch, 'never said')] }
  const said = await push(hub, follower, lie).catch((error: unknown) => String(error))
  const kept = await evidenceOf(follower, groupId)
  const { rows: followed } = await pool.query<{ stopped: string | null }>('SELECT stopped FROM followed_group WHERE group_id = $1', [
    groupId,
  ])
  expect(kept).toHaveLength(1)
  expect(followed[0]).toEqual({ stopped: 'equivocation' })
  expect(said).toEqual({ status: 200, said: 'stopped' })
}, 250_000)
