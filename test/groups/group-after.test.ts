import { expect, it } from '@jest/globals'
import type { ClientState, GroupContext, PreSharedKeyID } from 'ts-mls'
import { makeResumptionPsk } from 'ts-mls/resumption.js'
import { checkOrigin, resumptionOf, type Origin } from '../../examples/client/mls/resumption.js'
import { suite } from '../../examples/client/mls/suites.js'
import { begin, claimed, reinitOf } from './group-creation-fixture.js'
import { useStage } from './group-fixture.js'
import { utf8 } from '../../examples/client/wire.js'

const stage = useStage()

const resuming = (before: ClientState, origin: Origin) => ({ secret: new Uint8Array(), before, origin })

it('a client joins a branch of the group as it is, with members of it only', async () => {
  const [alice, bob, carol] = await stage.cast('alice', 'bob', 'carol')
  const before = (await stage.group(alice, [bob])).record.state
  const { state } = await begin(alice, await claimed(alice, [bob]), { before })
  const look = (changes: Partial<GroupContext> = {}, tree = state.ratchetTree, origin: Origin = 'branch') =>
    checkOrigin(resuming(before, origin), { ...state.groupContext, ...changes }, tree)
  look()
  expect(() => look({ epoch: 2n })).toThrow('epoch 1')
  expect(() => look({ extensions: [] })).toThrow('another one')
  const { state: wider } = await begin(alice, await claimed(alice, [bob, carol]), { before })
  expect(() => look({}, wider.ratchetTree)).toThrow('members')
  expect(() => look({}, state.ratchetTree, 'reinit')).toThrow('no ReInit')
})

it('a client joins the successor of a ReInit only as it was announced, with all members', async () => {
  const [alice, bob] = await stage.cast('alice', 'bob')
  const group = await stage.group(alice, [bob])
  const groupId = utf8('announced')
  await group.commit(() => [reinitOf(group, groupId)])
  const before = group.record.state
  const { state } = await begin(alice, await claimed(alice, [bob]), { before, usage: 'reinit', groupId })
  const look = (changes: Partial<GroupContext> = {}, tree = state.ratchetTree) =>
    checkOrigin(resuming(before, 'reinit'), { ...state.groupContext, ...changes }, tree)
  look()
  expect(() => look({ groupId: utf8('other') })).toThrow('another one')
  const { state: alone } = await begin(alice, [], { groupId })
  expect(() => look({}, alone.ratchetTree)).toThrow('members')
})

it('a client has the PSKs of its groups in their present epochs, and no others', async () => {
  const [alice] = await stage.cast('alice')
  const { state } = (await stage.group(alice)).record
  const { impl } = await suite(1)
  const { id } = makeResumptionPsk(state, 'branch', impl)
  const ask = (...ids: PreSharedKeyID[]) => resumptionOf(ids, () => state, impl)
  expect(await ask(id)).toMatchObject({ origin: 'branch', before: state })
  expect((await ask()).before).toBeUndefined()
  await expect(ask(id, id)).rejects.toThrow('no such PSK')
  await expect(ask({ ...id, usage: 'application' } as PreSharedKeyID)).rejects.toThrow('no such PSK')
  await expect(ask({ ...id, pskEpoch: 7n } as PreSharedKeyID)).rejects.toThrow('not in the epoch')
  await expect(resumptionOf([id], () => undefined, impl)).rejects.toThrow('not in the epoch')
})
