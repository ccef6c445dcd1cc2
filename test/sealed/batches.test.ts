import { randomBytes } from 'node:crypto'
import { expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { SenderKey } from '../../examples/client/sealed/sender-key.js'
import { sha256 } from '../../examples/client/wire.js'
import { appendMessages, type AppendItem } from '../../src/delivery/append/append.repository.js'
import { sealedGroup, spentTokens, useSealedServer } from './sealed-server-fixture.js'

const fixture = useSealedServer()

/** Messages for one statement: what the server's batches are made of. */
async function materials(client: Client) {
  const { group, key } = await sealedGroup(fixture.world, [client])
  const one = async <T>(text: string, values: unknown[]): Promise<T> =>
    (await fixture.database.pool.query<{ value: T }>(text, values)).rows[0]?.value as T
  const gid = await one<bigint>('SELECT gid AS value FROM groups WHERE group_id = $1', [group.record.groupId])
  const deviceId = await one<bigint>('SELECT id AS value FROM device WHERE client_uri = $1', [client.uri])
  const issuerKey = await one<number>('SELECT id AS value FROM issuer_key', [])
  const bare = (): Pick<AppendItem, 'gid' | 'epoch' | 'hash' | 'bytes'> => {
    const bytes = randomBytes(40)
    return { gid, epoch: BigInt(key.epoch), hash: sha256(bytes), bytes }
  }
  const ordinary = (): AppendItem => ({ ...bare(), deviceId })
  const sealed = (nonce: Uint8Array, by: Pick<SenderKey, 'publicKey'> = key): AppendItem => ({
    ...bare(),
    deviceId: null,
    sealed: { senderKey: by.publicKey, issuerKey, nonce },
  })
  const append = async (...items: AppendItem[]) => appendMessages(fixture.database.pool, items, 5)
  return { append, ordinary, sealed }
}

it('one statement with one token in it twice takes the first, and what stands around it', async () => {
  const [alice] = await fixture.world.cast('alice')
  const { append, ordinary, sealed } = await materials(alice)
  const before = await spentTokens(fixture)
  const [twice, other] = [randomBytes(32), randomBytes(32)]
  const stranger = { publicKey: randomBytes(32) }
  const items = [ordinary(), sealed(twice), sealed(twice), sealed(randomBytes(32), stranger), sealed(other), ordinary()]
  const outcomes = await append(...items)
  expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'token-spent', 'not-a-member', 'accepted', 'accepted'])
  expect(outcomes.map((outcome) => ('seq' in outcome ? outcome.seq : 0n))).toEqual([1n, 2n, 0n, 0n, 3n, 4n])
  expect((await spentTokens(fixture)) - before).toBe(2)
  // Next to its own repetition, too.
  const again = await append(items[2]!, items[1]!)
  expect(again.map(({ kind }) => kind)).toEqual(['token-spent', 'duplicate'])
})

it('the same message twice in one statement spends one token', async () => {
  const [alice] = await fixture.world.cast('alice')
  const { append, sealed } = await materials(alice)
  const before = await spentTokens(fixture)
  const first = sealed(randomBytes(32))
  const second = { ...first, sealed: { ...first.sealed!, nonce: randomBytes(32) } }
  expect((await append(first, second)).map(({ kind }) => kind)).toEqual(['accepted', 'duplicate'])
  expect((await spentTokens(fixture)) - before).toBe(1)
})
