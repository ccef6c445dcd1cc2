import { Refused, type Participant, type StackName } from './participant.js'
import type { Room } from './room.js'
import { branch, reinit } from './successions.js'

/** Four devices; the first three are in the room's group before and after each operation but the first. */
export interface Cast {
  room: Room
  devices: readonly [Participant, Participant, Participant, Participant]
  stacks: readonly StackName[]
  /** Another room of the same server, mode and suite. */
  anotherRoom: () => Room
}

export interface Operation {
  readonly name: string
  run(cast: Cast): Promise<void>
}

/** In the order in which they run; docs/interop.md shows them so. */
export const OPERATIONS: readonly Operation[] = [
  { name: 'create a group; add two at once by Welcome, with the tree (public: from the server)', run: begin },
  { name: 'messages of each', run: talk },
  { name: 'tokens refreshed by the key that they are bound to, on open streams', run: renew },
  { name: 'a Commit with a path by each', run: update },
  { name: 'Add and Remove by value; add again who was out', run: addAndRemove },
  { name: 'two Commits at once: the loser tries again', run: race },
  { name: 'Update by reference, committed by another', run: proposeUpdate },
  { name: 'Remove by reference, committed by another', run: proposeRemove },
  { name: 'Add by reference, committed by another', run: proposeAdd },
  { name: 'leave: the server proposes, a member commits', run: leave },
  { name: 'external Commit of a stranger (open)', run: externalJoin },
  { name: 'resync: an external Commit that replaces the own leaf', run: resync },
  { name: 'external Commit of a second device (open)', run: secondDevice },
  { name: 'external Commit with a join code', run: joinCode },
  { name: 'left half of the tree blank (§7.4)', run: leftHalfBlank },
  { name: 'a tree whose nodes list different unmerged leaves (§7.9.2)', run: unmergedLeaves },
  { name: 'a branch with members of another group, at epoch 1 (§11.3)', run: branch },
  { name: 'a ReInit, and its successor with all members at epoch 1 (§11.2)', run: reinit },
  { name: 'KeyPackage with GREASE (§13.5)', run: (cast) => addByKeyPackage(cast, 'grease') },
  { name: 'KeyPackage of last resort', run: (cast) => addByKeyPackage(cast, 'last-resort') },
  { name: 'KeyPackage with the library’s default lifetime', run: (cast) => addByKeyPackage(cast, 'default-lifetime') },
  { name: 'a credential of a type of its own is refused (§5.3.1)', run: customCredential },
]

async function begin({ room, devices: [a, b, c] }: Cast) {
  await room.found(a)
  await room.add(a, b, c)
}

async function talk({ room, devices: [a, b, c] }: Cast) {
  for (const device of [a, b, c]) await room.say(device, `hello of ${device.stack}`)
}

async function renew(cast: Cast) {
  for (const device of cast.devices) await device.renew()
  await talk(cast)
}

async function update({ room, devices: [a, b, c] }: Cast) {
  for (const device of [a, b, c]) {
    await device.update(room.groupId)
    await room.agree()
  }
}

async function addAndRemove({ room, devices: [a, b, c, d] }: Cast) {
  await room.add(b, d)
  await room.say(d, 'just came')
  await room.remove(c, d)
  await room.add(a, d)
  await room.remove(b, d)
}

async function race({ room, devices: [, b, c] }: Cast) {
  const before = (await room.agree()).epoch
  await Promise.all([b.update(room.groupId), c.update(room.groupId)])
  const { epoch } = await room.agree()
  if (epoch !== before + 2) throw new Error(`${epoch - before} epochs for two Commits`)
}

async function proposeUpdate({ room, devices: [a, b] }: Cast) {
  await b.proposeUpdate(room.groupId)
  await room.agree()
  await commitAll(room, a)
  await room.say(b, 'new keys')
}

async function proposeRemove({ room, devices: [a, b, c, d] }: Cast) {
  await room.add(a, d)
  await b.proposeRemove(room.groupId, d.client)
  await room.agree()
  room.present.delete(d)
  await commitAll(room, c)
  await room.out(d)
}

async function proposeAdd({ room, devices: [, b, c, d] }: Cast) {
  await b.proposeAdd(room.groupId, d.user)
  await room.agree()
  await commitAll(room, c)
  await d.until(room.groupId, 'joined')
  room.present.add(d)
  await room.say(d, 'was proposed')
  await room.remove(c, d)
}

async function leave({ room, devices: [a, b, , d] }: Cast) {
  await room.add(a, d)
  await d.leave(room.groupId)
  // It is sent nothing any more.
  room.present.delete(d)
  await room.agree()
  await commitAll(room, b)
}

async function externalJoin({ room, devices: [, b, c, d] }: Cast) {
  await room.joinExternally(d)
  await room.say(d, 'from outside')
  await c.update(room.groupId)
  await room.agree()
  await room.remove(b, d)
}

async function resync({ room, devices: [a, b, c] }: Cast) {
  await room.joinExternally(c, { resync: true })
  await room.say(c, 'back again')
  await b.update(room.groupId)
  await a.update(room.groupId)
  await room.agree()
}

async function secondDevice({ anotherRoom, stacks, devices: [a, b, c] }: Cast) {
  const room = anotherRoom()
  await room.found(a)
  await room.add(a, b, c)
  for (const [first, stack] of [
    [b, stacks[1]],
    [c, stacks[2]],
  ] as const) {
    if (!stack) continue
    const second = await room.secondDevice(stack, first)
    await room.joinExternally(second)
    await room.say(second, 'a second device')
  }
  await a.update(room.groupId)
  await room.agree()
}

async function joinCode({ anotherRoom, devices: [a, b, c] }: Cast) {
  const room = anotherRoom()
  await room.found(a, { external_join: 'code', join_code: 'open sesame' })
  for (const joiner of [b, c]) await room.joinExternally(joiner, { code: 'open sesame' })
  await room.say(c, 'knew the code')
}

/** Of four members the first leaves and the third removes the second, so that the root has no child on the left to be encrypted to. */
async function leftHalfBlank({ anotherRoom, devices: [a, b, c, d] }: Cast) {
  const room = anotherRoom()
  await room.found(a)
  await room.add(a, b, c, d)
  await a.leave(room.groupId)
  room.present.delete(a)
  await room.agree()
  await room.remove(c, b)
  await d.update(room.groupId)
  await room.agree()
  await c.update(room.groupId)
  await room.say(c, 'in the right half')
  await room.add(d, b)
  await room.agree()
}

/**
 * Of nine members the first removes the fourth and the eighth, whose leaves others then take: the node above leaves 0 to 7 lists both, the one
 * above 0 to 3 only the first, as the ninth, who adds them, is below neither.
 */
async function unmergedLeaves({ anotherRoom, stacks, devices: [a, b, c, d] }: Cast) {
  const room = anotherRoom()
  const more: Participant[] = []
  for (let index = 0; index < 5; index++) more.push(await room.device(stacks[index % stacks.length] ?? 'ts-mls'))
  const [, , , eighth, ninth] = more as [Participant, Participant, Participant, Participant, Participant]
  await room.found(a)
  await room.add(a, b, c, d, ...more)
  await room.remove(a, d, eighth)
  await room.add(ninth, d)
  await room.add(ninth, eighth)
  await room.say(eighth, 'read the tree')
  await room.joinExternally(b, { resync: true })
  await room.say(b, 'read it from outside')
  await d.update(room.groupId)
  await room.agree()
}

async function addByKeyPackage({ anotherRoom, stacks, devices: [a, b] }: Cast, kind: 'grease' | 'last-resort' | 'default-lifetime') {
  const room = anotherRoom()
  const added = await room.unknown(stacks[2] ?? 'ts-mls')
  await added.register()
  await added.publish(kind, 1)
  await added.listen()
  await room.found(a)
  await room.add(a, b, added)
  await room.say(added, `came by a KeyPackage: ${kind}`)
}

async function customCredential({ anotherRoom, stacks }: Cast) {
  const other = await anotherRoom().unknown(stacks[2] ?? 'ts-mls')
  await other.register()
  const refused = await other.publish('custom-credential', 1).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(refused instanceof Refused)) throw new Error('It was accepted')
  if (refused.kind === 'unsupported') throw refused
  if (refused.document['rule'] !== 'credential') throw refused
}

/** A Commit of what was proposed; nothing waits after it. */
async function commitAll(room: Room, committer: Participant): Promise<void> {
  await committer.update(room.groupId)
  const { proposals } = await room.agree()
  if (proposals > 0) throw new Error(`${proposals} proposals are left`)
}
