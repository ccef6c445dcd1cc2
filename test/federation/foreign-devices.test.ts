import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from '@jest/globals'
import { recordForeignUser, unconfirmedAmong } from '../../src/authentication/directory/foreign-devices.repository.js'
import { ForeignUserRecords } from '../../src/federation/hub/foreign-user-records.js'
import { ForeignDevices } from '../../src/federation/hub/foreign-devices.js'
import { encodeCbor } from '../../src/platform/http/encode.js'
import { transaction } from '../../src/platform/postgres/sql.js'
import { useTestDatabase } from '../support/database.js'

const database = useTestDatabase()
const PEER = { domain: 'b.example' }
const user = (name: string) => `mimi://b.example/u/${name}`
const client = (name: string, device: string) => `mimi://b.example/d/${name}/${device}`
const key = () => Buffer.from(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
const told = (name: string, device: string, keys: number, revoked_at?: number) => ({
  client: client(name, device),
  ...(revoked_at !== undefined && { revoked_at }),
  signature_keys: Array.from({ length: keys }, () => ({ public_key: key(), valid_from: 1 })),
})

/** A hub that gets the answers of the test, and counts its questions. */
function hub(answer: () => object[]) {
  const asked: string[] = []
  const send = async ({ argument }: { argument: string }) => {
    asked.push(argument)
    return { kind: 'answered', status: 200, body: encodeCbor({ devices: answer() }) }
  }
  const limits = { take: async () => undefined }
  const hints = { publish: () => undefined }
  const lists = { ask: async () => undefined }
  const records = new ForeignUserRecords(database.pool, names as never)
  return { asked, devices: new ForeignDevices(records, lists as never, { send } as never, limits as never, hints as never) }
}

const names = { claimElsewhere: () => Promise.resolve() }

it('a device that its provider leaves out is not vouched for, until it is named again', async () => {
  const keys = () => [{ publicKey: key(), validFrom: new Date(0), validUntil: null }]
  const [phone, laptop] = ['phone', 'laptop'].map((device) => ({ client: client('ann', device), revokedAt: null, keys: keys() }))
  const record = (devices: (typeof phone)[]) =>
    transaction(database.pool, (sql) =>
      recordForeignUser(
        sql,
        user('ann'),
        devices.flatMap((one) => one ?? []),
        names as never,
      ),
    )
  const open = async () => {
    const claims = [phone, laptop].map((one) => ({ client: one!.client }))
    return (await unconfirmedAmong(database.pool, claims, 60_000)).map((claim) => claim.client)
  }
  await Promise.all([record([phone, laptop]), record([laptop, phone])])
  expect(await open()).toEqual([])
  expect(await record([phone])).toEqual([])
  expect(await open()).toEqual([laptop!.client])
  await record([phone, laptop])
  expect(await open()).toEqual([])
})

it('of a long list those devices are taken that are in use, and of each some keys', async () => {
  const gone = Array.from({ length: 300 }, (_, index) => told('eve', `old${index}`, 0, 1))
  const { devices } = hub(() => [...gone, told('eve', 'phone', 40), told('mallory', 'phone', 1)])
  await devices.introduce([{ client: client('eve', 'phone') }])
  const { rows } = await database.pool.query<{ devices: bigint; keys: bigint }>(
    `SELECT count(DISTINCT d.id) AS devices, count(k.public_key) AS keys FROM device d LEFT JOIN foreign_signature_key k ON k.device_id = d.id
      WHERE d.client_uri LIKE 'mimi://b.example/d/eve/%' OR d.client_uri LIKE '%mallory%'`,
  )
  expect(rows).toEqual([{ devices: 200n, keys: 16n }])
  await expect(devices.caller(PEER, client('eve', 'phone'))).resolves.toMatchObject({ user: user('eve') })
})

it('word of revocations is looked up together, and none is lost', async () => {
  let revoked: number | undefined
  const { asked, devices } = hub(() => [told('zoe', 'phone', 1, revoked)])
  const say = () => devices.refresh(PEER, client('zoe', 'phone'))
  await say()
  const soon = say()
  revoked = 1
  await Promise.all([soon, ...Array.from({ length: 20 }, say)])
  expect(asked).toHaveLength(2)
  await expect(devices.caller(PEER, client('zoe', 'phone'))).rejects.toMatchObject({ type: 'client-unknown' })
})

it('a provider that leaves a device out is asked again before its client is refused', async () => {
  let known = true
  const { asked, devices } = hub(() => (known ? [told('max', 'phone', 1)] : []))
  await devices.caller(PEER, client('max', 'phone'))
  known = false
  await devices.refresh(PEER, client('max', 'phone'))
  await expect(devices.caller(PEER, client('max', 'phone'))).rejects.toMatchObject({ type: 'client-unknown' })
  known = true
  await devices.caller(PEER, client('max', 'phone'))
  expect(asked).toHaveLength(4)
})
