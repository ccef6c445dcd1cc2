import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { toBase64Url, utf8 } from '../../examples/client/wire.js'
import { cli } from '../support/cli.js'
import { testEnvironment } from '../support/server.js'
import { refusal, useStage } from './group-fixture.js'

const stage = useStage()
const run = (args: string) => cli(args, testEnvironment(stage.server.config.DATABASE_URL ?? ''))
const idOf = (group: Group) => toBase64Url(group.record.groupId)
const local = (client: Client) => client.user.split('/u/')[1]!
const current = async (client: Client, room: string) =>
  toBase64Url((await client.device.http.get<{ group_id: Uint8Array }>(`/v1/rooms/${room}`)).group_id)
const newRoom = () => `room-${randomUUID().slice(0, 8)}`

/** A room whose group alice, its only admin, has reset, and which bob has succeeded alone when nobody else did. */
async function stolen(): Promise<{ alice: Client; bob: Client; room: string; group: Group; next: Group }> {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const room = newRoom()
  const group = await stage.group(alice, [bob], { room })
  await alice.device.http.post(`${group.path}/reset`)
  await stage.pool.query('UPDATE groups SET reserved_until = now() WHERE group_id = $1', [group.record.groupId])
  const next = await bob.createGroup({ groupId: utf8(randomUUID()), successorOf: group.record.groupId })
  return { alice, bob, room, group, next }
}

describe('the operator', () => {
  it('sees the groups of a room, which one is current, and who froze and who looks after them', async () => {
    const { alice, room, group, next } = await stolen()
    const { code, out } = await run(`rooms show ${room}`)
    expect(code).toBe(0)
    const [first, second] = out.trimEnd().split('\n')
    expect(first).toBe(`* group ${idOf(next)}  public, epoch 0, 1 members; admins ${alice.user}`)
    expect(second).toContain(`  group ${idOf(group)}  public, epoch 1, 2 members; frozen by ${alice.user} (reset) on `)
    expect(second).toContain(`; admins ${alice.user}`)
  })

  it('gives a room back to a group that was reset: it goes on, and the other one stops', async () => {
    const { alice, bob, room, group, next } = await stolen()
    expect((await run(`rooms assign ${room} --group ${idOf(group)}`)).code).toBe(0)
    expect(await current(bob, room)).toBe(idOf(group))
    await group.update()
    expect(await refusal(next.update())).toMatchObject({ kind: 'group-frozen', document: { successor: group.record.groupId } })
    expect(await refusal(alice.createGroup({ groupId: utf8(randomUUID()), successorOf: next.record.groupId }))).toMatchObject({
      kind: 'successor-taken',
    })
  })

  it('makes a user an admin of the group that is current', async () => {
    const { bob, room, next } = await stolen()
    expect(await refusal(bob.device.http.put(`${next.path}/policy`, { add_members: 'admins' }))).toMatchObject({ status: 403 })
    expect((await run(`rooms assign ${room} --admin ${local(bob)}`)).code).toBe(0)
    await bob.device.http.put(`${next.path}/policy`, { add_members: 'admins' })
  })

  it('frees the name of a room once its group is deleted, and not before', async () => {
    const [alice, bob] = await stage.cast('alice', 'bob')
    const room = newRoom()
    const group = await stage.group(alice, [], { room })
    expect(await run(`rooms release ${room}`)).toMatchObject({ code: 1, err: expect.stringContaining('is not deleted') })
    await group.delete()
    expect(await refusal(stage.group(bob, [], { room }))).toMatchObject({ kind: 'room-taken' })
    expect((await run(`rooms release ${room}`)).code).toBe(0)
    await stage.group(bob, [], { room })
  })

  it('reads why something cannot be done', async () => {
    const { room } = await stolen()
    const [carol] = await stage.cast('carol')
    const other = await stage.group(carol)
    const cases: [string, string][] = [
      ['rooms show nowhere', 'There is no such room.'],
      ['rooms show', 'Which room?'],
      ['rooms show mimi://elsewhere.example/r/x', 'no room of this provider'],
      [`rooms assign ${room}`, 'Say what to assign'],
      [`rooms assign ${room} --group ?`, 'in base64url'],
      [`rooms assign ${room} --group ${idOf(other)}`, 'no such group'],
      [`rooms assign ${room} --admin nobody-at-all`, 'no account nobody-at-all'],
      ['rooms assign nowhere --admin nobody-at-all', 'no account'],
      ['rooms release nowhere', 'There is no such room.'],
    ]
    for (const [args, says] of cases) expect(await run(args)).toMatchObject({ code: 1, err: expect.stringContaining(says) })
  })
})
