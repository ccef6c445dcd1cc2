import { describe, expect, it } from '@jest/globals'
import { useFederation } from '../support/federated-world.js'
import { eventually } from '../support/eventually.js'
import { agreed, at, heard, joined, problemOf, removed, type World } from '../support/world.js'

describe.each(['public', 'private'] as const)('members of three providers in %s mode', (mode) => {
  const federated = useFederation(3)
  const worlds = () => federated.worlds as [World, World, World]
  const entriesAt = async (provider: number) => {
    const { rows } = await federated.providers[provider]!.pool.query<{ entries: bigint }>('SELECT count(*) AS entries FROM log')
    return Number(rows[0]!.entries)
  }

  it('hear each other over a hub that none of the two has', async () => {
    const [first, second, third] = worlds()
    const [[alice], [bob], [carol]] = await Promise.all([first.cast('alice'), second.cast('bob'), third.cast('carol')])
    const group = await first.group(alice, [bob, carol], { mode })
    await at(bob, group).send('from b')
    await at(carol, group).send('from c')
    await heard([alice, bob, carol], group, group.texts.length === 2 ? group.texts : ['from b', 'from c'])
    await agreed([bob, carol], group)
  })

  it('are removed from elsewhere, read up to that Commit, and come back without what happened in between', async () => {
    const [first, second, third] = worlds()
    const [[alice], [bob], [carol]] = await Promise.all([first.cast('alice'), second.cast('bob'), third.cast('carol')])
    const group = await first.group(alice, [bob, carol], { mode })
    await agreed([bob, carol], group)
    await at(bob, group).remove(carol.uri)
    await removed(carol, group.record.groupId)
    await alice.until('the Commit', () => !group.members.includes(carol.uri))
    const before = await entriesAt(2)
    for (const text of ['without', 'her']) await group.send(text)
    await heard([bob], group, ['without', 'her'])
    expect(await entriesAt(2)).toBe(before)
    const { message } = (await group.history(2)).entries.at(-1)!
    message[message.length - 1]! ^= 1 // another one, as an identical resubmission is answered as it was
    expect((await problemOf(carol.device.http.postMessage(`${group.path}/messages`, message))).kind).toBe('not-a-member')

    await group.add(carol.user)
    await joined(carol, group.record.groupId)
    await group.send('welcome back')
    await heard([carol], group, ['welcome back'])
    const seqs = (await carol.group(group.record.groupId).history(1)).entries.map(({ seq }) => seq)
    expect(seqs).toEqual([2, 6]) // the Commit that took her out, and what came after the one that brought her back
  })

  it('ask their own server to leave, and are taken out by the one who commits next', async () => {
    const [first, second] = worlds()
    const [[alice], [bob]] = await Promise.all([first.cast('alice'), second.cast('bob')])
    const group = await first.group(alice, [bob], { mode })
    await agreed([bob], group)
    // The log is empty until the acknowledgement of the Welcome has arrived.
    const read = () => bob.device.http.get<{ head_seq: number }>(`${group.path}/log`)
    const { head_seq: left } = await eventually(read, ({ head_seq }) => head_seq > 0)
    await bob.device.http.post(`${group.path}/leave`, {})
    federated.staysBehind(bob)
    const { leaving } = await alice.device.http.get<{ leaving?: string[] }>(group.path)
    expect(leaving).toEqual([bob.uri])
    if (mode === 'private') await group.remove(bob.uri)
    else {
      // The group says so before the server's proposal is here, and without it there would be nothing to commit.
      await alice.until('the proposal', () => Object.keys(group.record.state.unappliedProposals).length > 0)
      await group.settle()
    }
    await group.send('behind the leave')
    expect(group.members).toEqual([alice.uri])
    const { head_seq } = await read()
    expect([head_seq, at(bob, group).texts]).toEqual([left, []])
  })

  it('block the group at their own server, which delivers nothing of it until they take that back; the hub is not told', async () => {
    const [first, second] = worlds()
    const [[alice], [bob]] = await Promise.all([first.cast('alice'), second.cast('bob')])
    const group = await first.group(alice, [bob], { mode })
    await agreed([bob], group)
    await at(bob, group).deliver('blocked')
    await group.send('behind the block')
    const { head_seq: last } = await alice.device.http.get<{ head_seq: number }>(group.path)
    const sql = 'SELECT head_seq FROM groups WHERE group_id = $1'
    const headAtBobs = async () => (await federated.providers[1]!.pool.query(sql, [group.record.groupId])).rows[0]?.head_seq as bigint
    await eventually(headAtBobs, (head) => Number(head) === last)
    expect((await problemOf(bob.device.http.get(`${group.path}/log`))).kind).toBe('not-delivered')
    expect(at(bob, group).texts).toEqual([])
    expect(await bob.device.http.get(group.path)).toMatchObject({ delivery: 'blocked' })
    expect(await federated.providers[0]!.pool.query('SELECT FROM room_delivery')).toMatchObject({ rowCount: 0 })
    await at(bob, group).deliver('all')
    await heard([bob], group, ['behind the block'])
  })

  it('bring in a second device from outside while nobody else has to be online', async () => {
    const [first, second] = worlds()
    const [[alice], [bob]] = await Promise.all([first.cast('alice'), second.cast('bob/phone')])
    const group = await first.group(alice, [bob], { mode, policy: { external_join: 'open' } })
    await agreed([bob], group)
    const laptop = await second.unknown(bob.user.split('/u/')[1]!, 'laptop')
    await bob.device.enrol(laptop.device)
    const own = await laptop.joinExternally({ groupId: group.record.groupId, mode, suite: 1 })
    laptop.connect()
    await agreed([alice, bob], own)
    await own.send('from the laptop')
    await heard([alice, bob], group, ['from the laptop'])
    await group.send('hello laptop')
    await heard([laptop], group, ['from the laptop', 'hello laptop'])
  })

  it('join an open room of another provider by its name', async () => {
    const [first, second] = worlds()
    const [[alice], [bob]] = await Promise.all([first.cast('alice'), second.cast('bob')])
    const room = first.unique(`open-${mode}`).toLowerCase()
    const group = await first.group(alice, [], { mode, room, policy: { external_join: 'open' } })
    const found = await bob.device.http.get<{ group_id: Uint8Array }>(`/v1/rooms/${encodeURIComponent(`mimi://a.example/r/${room}`)}`)
    expect(Buffer.from(found.group_id)).toEqual(Buffer.from(group.record.groupId))
    const own = await bob.joinExternally({ groupId: group.record.groupId, mode, suite: 1 })
    await agreed([alice], own)
    await own.send('hi')
    await heard([alice], group, ['hi'])
  })

  it('act within the policy of the hub, and get the answers that they get there', async () => {
    const [first, second, third] = worlds()
    const [[alice], [bob], [carol]] = await Promise.all([first.cast('alice'), second.cast('bob'), third.cast('carol')])
    const group = await first.group(alice, [bob, carol], { mode, policy: { remove_members: 'admins' } })
    await agreed([bob, carol], group)
    expect((await problemOf(at(bob, group).remove(carol.uri))).kind).toBe('policy')
    expect((await problemOf(at(bob, group).delete())).status).toBe(403)
    const { http } = bob.device
    expect(await http.get(`${group.path}/policy`)).toMatchObject({ remove_members: 'admins', admins: [alice.user] })
    await alice.device.http.put(`${group.path}/admins/${encodeURIComponent(bob.user)}`, {})
    await http.put(`${group.path}/bans/${encodeURIComponent(carol.user)}`, {})
    expect(await http.get(`${group.path}/policy`)).toMatchObject({ banned: [carol.user] })
    await at(bob, group).remove(carol.uri)
    await removed(carol, group.record.groupId)
  })

  it('lose the group and its ciphertext everywhere, and the hub has a receipt from each', async () => {
    const [first, second, third] = worlds()
    const [[alice], [bob], [carol]] = await Promise.all([first.cast('alice'), second.cast('bob'), third.cast('carol')])
    const group = await first.group(alice, [bob, carol], { mode })
    await agreed([bob, carol], group)
    await group.send('to be forgotten')
    await heard([bob, carol], group, ['to be forgotten'])
    await group.delete()
    for (const one of [bob, carol]) await one.until('the notice', () => at(one, group).record.standing === 'deleted')
    const hub = federated.providers[0]!.pool
    const receipts = 'SELECT deleted_entries AS entries FROM peer_deletion WHERE group_id = $1 AND receipt IS NOT NULL'
    const { rows } = await eventually(
      () => hub.query<{ entries: bigint }>(receipts, [group.record.groupId]),
      (seen) => seen.rows.length === 2,
    )
    expect(rows.map(({ entries }) => entries)).toEqual([2n, 2n])
    for (const { pool } of federated.providers) {
      const left = await pool.query('SELECT 1 FROM log JOIN groups USING (gid) WHERE group_id = $1', [group.record.groupId])
      expect(left.rows).toHaveLength(0)
    }
    expect((await problemOf(bob.device.http.get(group.path))).kind).toBe('group-deleted')
  })
})
