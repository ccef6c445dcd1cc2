import { describe, expect, it } from '@jest/globals'
import { eventually } from '../support/eventually.js'
import { useFederation } from '../support/federated-world.js'
import type { Fault } from '../support/network/faulty-proxy.js'
import { agreed, heard, type World } from '../support/world.js'

const FAULTS: [string, Fault][] = [
  ['answers 500', { status: 500, body: 'oops' }],
  ['answers 429 with Retry-After', { status: 429, headers: { 'retry-after': '2' } }],
  ['answers garbage', 'garbage'],
  ['redirects to somewhere inside', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }],
  ['answers 404, unsigned', { status: 404, body: '{}' }],
  ['hangs', 'hangs'],
  ['is not there', 'cut'],
]

const federated = useFederation(3)

describe.each(FAULTS)('a peer that %s', (_what, fault) => {
  it('delays no other peer and no local client, and gets everything once it is well again', async () => {
    const [first, second, third] = federated.worlds as [World, World, World]
    const [hub, sick] = federated.providers
    const [[alice], [bob], [carol]] = await Promise.all([first.cast('alice'), second.cast('bob'), third.cast('carol')])
    const group = await first.group(alice, [bob, carol])
    await agreed([bob, carol], group)

    sick!.proxy.fault = fault
    const texts = ['one', 'two', 'three']
    for (const text of texts) await group.send(text)
    await heard([alice, carol], group, texts)
    const peers = () =>
      hub!.pool.query<{ failures: number; last_error: string }>("SELECT failures, last_error FROM peer WHERE domain = 'b.example'")
    const { rows } = await eventually(peers, (seen) => (seen.rows[0]?.failures ?? 0) > 0)
    expect(rows[0]!.last_error).not.toBe('')

    sick!.proxy.fault = 'none'
    await bob.device.http.get(group.path) // the hub hears of the peer, and tries again at once
    await heard([bob], group, texts)
    const after = await eventually(peers, (seen) => seen.rows[0]?.failures === 0)
    expect(after.rows[0]!.failures).toBe(0)
    const stopped = await hub!.pool.query('SELECT 1 FROM peer_cursor WHERE stopped IS NOT NULL')
    expect(stopped.rows).toHaveLength(0)
  })
})
