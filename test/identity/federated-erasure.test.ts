import { deleteAccount } from '../../examples/client/account-end.js'
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { PeerDirectories } from '../../src/federation/peers/peer-directories.js'
import {
  decodeErasureReceipt,
  decodeEraseUserRequest,
  encodeErasureReceipt,
  encodeEraseUserRequest,
  erasureReceiptBytes,
} from '../../src/protocol/mimi/microchat/erasure.js'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import type { Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { joined, type World } from '../support/world.js'
import { ageDeletions, eraseDeleted, tablesThatSay } from './account-fixture.js'

const federated = useFederation(2)
const providers = () => federated.providers as [Provider, Provider]
const worlds = () => federated.worlds as [World, World]
const nameOf = ({ user }: Client) => user.split('/').at(-1)!
const ID = Buffer.alloc(32, 7)

interface Notice {
  domain: string
  user: string | null
  receipt: Buffer | null
  failures: number
  lastError: string | null
}
const notices = async ({ pool }: Provider) =>
  (
    await pool.query<Notice>(
      'SELECT domain, user_uri AS user, receipt, failures, last_error AS "lastError" FROM peer_erasure ORDER BY asked_at DESC',
    )
  ).rows

let serial = 0

async function sharedGroup(mode: 'public' | 'private' = 'public') {
  const [ours, theirs] = worlds()
  const [alice] = await ours.cast('alice')
  const [bob] = await theirs.cast('bob')
  const group = await bob.createGroup({ groupId: Buffer.from(`shared-${++serial}`), mode })
  await group.add(alice.user)
  await joined(alice, group.record.groupId)
  return { alice, bob, group }
}

async function deleted(client: Client): Promise<void> {
  client.device.http.renew = undefined
  expect(await deleteAccount(client.device)).toMatchObject({ providers: ['b.example'] })
  await client.disconnect()
}

describe('the erasure of a user at other providers', () => {
  it('is asked of those that know the user, who sign for it, and nothing names the user after that but what its group says', async () => {
    const [a, b] = providers()
    const { alice, bob, group } = await sharedGroup()
    expect(await tablesThatSay(b.pool, nameOf(alice))).toEqual(expect.arrayContaining(['account', 'device']))
    await deleted(alice)
    const [notice] = await eventually(
      () => notices(a),
      ([first]) => first?.receipt !== null && first !== undefined,
    )
    expect(notice).toMatchObject({ domain: 'b.example', user: null })
    const receipt = decodeErasureReceipt(notice!.receipt!)
    if (receipt.kind !== 'decoded') throw new Error('no receipt')
    const key = await a.app.get(PeerDirectories).key('b.example', receipt.value.keyId, new Date())
    expect(key).toBeDefined()
    expect(notice!.receipt!.includes(nameOf(alice))).toBe(false)
    // The hub proposes to remove what is in its group; once that is done, it forgets the name.
    await eventually(
      async () => {
        await bob.group(group.record.groupId).settle()
        await bob.group(group.record.groupId).remove(alice.uri)
        await eraseDeleted(b)
        return (await b.pool.query('SELECT FROM account WHERE user_uri = $1', [alice.user])).rowCount
      },
      (count) => count === 0,
    )
    // Answers to repeats are kept for ten minutes.
    const where = await tablesThatSay(b.pool, nameOf(alice))
    expect(
      where.filter(
        (table) => !['log', 'group_snapshot', 'group_info', 'group_tree', 'welcome', 'commit_claim', 'federation_result'].includes(table),
      ),
    ).toEqual([])
    await bob.group(group.record.groupId).send('still here')
    // At home the same, as soon as the hub has said that the device is out.
    await eventually(
      async () => {
        await eraseDeleted(a)
        return (await a.pool.query('SELECT FROM account WHERE user_uri = $1', [alice.user])).rowCount
      },
      (count) => count === 0,
    )
  })

  /** A user whose device is out of its group at the hub, b.example, of which its provider has not heard. */
  async function outUnheard() {
    const [a, b] = providers()
    const pause = (paused: boolean) => b.pool.query("UPDATE peer SET paused = $1 WHERE domain = 'a.example'", [paused])
    const { alice, bob, group } = await sharedGroup()
    const erased = async (provider: Provider) => {
      await eraseDeleted(provider)
      return (await provider.pool.query('SELECT FROM account WHERE user_uri = $1', [alice.user])).rowCount === 0
    }
    await pause(true)
    await deleted(alice)
    await eventually(
      () => notices(a),
      (all) => all.every(({ receipt }) => receipt !== null),
    )
    await bob.group(group.record.groupId).settle()
    await bob.group(group.record.groupId).remove(alice.uri)
    return { a, b, erased, goOn: () => pause(false) }
  }

  it('leaves the name at the hub until the provider of the user has heard that the device is out of the group', async () => {
    const { a, b, erased, goOn } = await outUnheard()
    expect([await erased(b), await erased(b)]).toEqual([false, false])
    await goOn()
    for (const provider of [b, a]) await eventually(() => erased(provider), Boolean)
  })

  it('leaves it for thirty days at most if that provider does not hear', async () => {
    const { b, erased, goOn } = await outUnheard()
    await ageDeletions(b.pool, '29 days')
    expect(await erased(b)).toBe(false)
    await ageDeletions(b.pool, '1 day')
    expect(await erased(b)).toBe(true)
    await goOn()
  })

  it('is refused to a provider that the user is not of, and changes nothing', async () => {
    const [a, b] = providers()
    const { alice, bob } = await sharedGroup()
    const ask = async (user: string, body: Uint8Array) => {
      const { status, body: answer } = await callPeer(a, b, { endpoint: 'eraseUser', argument: user, body })
      return [status, /urn:microchat:problem:([a-z-]+)/.exec(Buffer.from(answer).toString('latin1'))?.[1]]
    }
    expect(await ask(bob.user, encodeEraseUserRequest({ user: bob.user, erasureId: ID }))).toEqual([403, 'foreign-domain'])
    const third = 'mimi://c.example/u/carol'
    expect(await ask(third, encodeEraseUserRequest({ user: third, erasureId: ID }))).toEqual([403, 'foreign-domain'])
    expect(await ask(alice.user, encodeEraseUserRequest({ user: bob.user, erasureId: ID }))).toEqual([422, 'undecodable'])
    expect(await ask(alice.user, Buffer.concat([encodeEraseUserRequest({ user: alice.user, erasureId: ID }), ID]))).toEqual([
      422,
      'undecodable',
    ])
    expect(
      (await b.pool.query('SELECT FROM account WHERE deleted_at IS NOT NULL AND user_uri = ANY ($1)', [[alice.user, bob.user]])).rowCount,
    ).toBe(0)
    expect(await bob.device.http.get('/v1/me')).toMatchObject({ user: bob.user })
  })

  it('answers the same for a user who was never known', async () => {
    const [a, b] = providers()
    const user = 'mimi://a.example/u/never-seen'
    const { status, body } = await callPeer(a, b, {
      endpoint: 'eraseUser',
      argument: user,
      body: encodeEraseUserRequest({ user, erasureId: ID }),
    })
    expect([status, decodeErasureReceipt(body).kind]).toEqual([200, 'decoded'])
    expect((await b.pool.query('SELECT FROM account WHERE user_uri = $1', [user])).rowCount).toBe(0)
  })

  it('is not done until the receipt is signed by a key of the provider, over this erasure; the lane goes on meanwhile', async () => {
    const [a, b] = providers()
    const { alice, bob, group } = await sharedGroup('private')
    const keys = b.app.get(ProviderKeys)
    const honest = keys.signBytes.bind(keys)
    const { privateKey } = generateKeyPairSync('ed25519')
    const forged = async (bytes: Uint8Array) => ({
      ...(await honest(bytes)),
      signature: new Uint8Array(sign(null, bytes, createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })))),
    })
    Object.assign(keys, { signBytes: forged })
    await deleted(alice)
    // A provider that has much to do may say so first.
    await eventually(
      async () => {
        await a.pool.query(`UPDATE peer_erasure SET retry_at = NULL WHERE last_error NOT LIKE '%receipt%'`)
        return notices(a)
      },
      ([first]) => first?.lastError?.includes('receipt') === true,
    )
    expect((await notices(a))[0]).toMatchObject({ receipt: null, user: alice.user })
    const { failures } = (await notices(a))[0]!
    Object.assign(keys, {
      signBytes: () =>
        honest(erasureReceiptBytes({ user: alice.user, eraser: 'b.example' }, { erasureId: Buffer.alloc(32, 9), erasedAtMs: 0n })),
    })
    await a.pool.query('UPDATE peer_erasure SET retry_at = NULL')
    await eventually(
      () => notices(a),
      ([first]) => (first?.failures ?? 0) > failures,
    )
    expect((await notices(a))[0]).toMatchObject({ receipt: null })
    Object.assign(keys, { signBytes: honest })
    await a.pool.query('UPDATE peer_erasure SET retry_at = NULL')
    await eventually(
      () => notices(a),
      ([first]) => first?.receipt !== null,
    )
    await bob.group(group.record.groupId).remove(alice.uri)
  })

  it('waits for a provider that does not know how, and delays nothing else', async () => {
    const [a, b] = providers()
    const { alice } = await sharedGroup('private')
    await a.pool.query(`UPDATE peer SET endpoints = endpoints - 'eraseUser' WHERE domain = 'b.example'`)
    const directories = a.app.get(PeerDirectories)
    const of = directories.of.bind(directories)
    Object.assign(directories, {
      of: async (...given: Parameters<typeof of>) => {
        const directory = await of(...given)
        if (!directory) return directory
        const { eraseUser: _, ...endpoints } = directory.endpoints
        return { ...directory, endpoints }
      },
    })
    try {
      await deleted(alice)
      await eventually(
        () => notices(a),
        ([first]) => (first?.failures ?? 0) > 0,
      )
      expect((await notices(a))[0]).toMatchObject({ receipt: null, lastError: expect.stringContaining('no endpoint eraseUser') })
      const { rows } = await a.pool.query<{ failures: number }>(`SELECT failures FROM peer WHERE domain = 'b.example'`)
      expect(rows).toEqual([{ failures: 0 }])
      expect((await b.pool.query('SELECT FROM account WHERE user_uri = $1', [alice.user])).rowCount).toBe(1)
    } finally {
      Object.assign(directories, { of })
    }
  })
})

it('the bodies are decoded strictly', () => {
  const request = { user: 'mimi://a.example/u/alice', erasureId: ID }
  expect(decodeEraseUserRequest(encodeEraseUserRequest(request))).toMatchObject({ kind: 'decoded', value: { user: request.user } })
  expect(decodeEraseUserRequest(encodeEraseUserRequest({ ...request, erasureId: ID.subarray(1) })).kind).toBe('malformed')
  const receipt = { erasureId: ID, erasedAtMs: 1n, keyId: 'k', signature: Buffer.alloc(64) }
  expect(decodeErasureReceipt(encodeErasureReceipt(receipt)).kind).toBe('decoded')
  expect(decodeErasureReceipt(Buffer.concat([encodeErasureReceipt(receipt), ID])).kind).toBe('malformed')
})
