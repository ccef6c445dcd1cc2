import type { Cast } from './operations.js'
import type { Origin, Participant } from './participant.js'
import type { Room } from './room.js'

/** Some members of a group in another one; the group goes on. */
export async function branch({ anotherRoom, devices: [a, b, c] }: Cast) {
  const before = anotherRoom()
  await before.found(a)
  await before.add(a, b, c)
  await succeed(before, anotherRoom(), 'branch', [b, a])
  await before.say(c, 'goes on beside its branch')
}

/** An admin freezes the group, and begins the next: the others have to wait. */
export async function reinit({ anotherRoom, devices: [a, b, c] }: Cast) {
  const [before, next] = [anotherRoom(), anotherRoom()]
  await before.found(a)
  await before.add(a, b, c)
  await b.update(before.groupId)
  await before.agree()
  await a.reinit(before.groupId, next.groupId)
  await before.agree()
  await succeed(before, next, 'reinit', [a, c, b])
}

async function succeed(before: Room, next: Room, origin: Origin, [creator, ...others]: readonly [Participant, ...Participant[]]) {
  for (const other of others) await other.expect(next.groupId, before.groupId, origin)
  await creator.beginAfter(
    before.groupId,
    origin,
    next.groupId,
    others.map(({ user }) => user),
  )
  next.present.add(creator)
  for (const other of others) {
    await other.until(next.groupId, 'joined')
    next.present.add(other)
  }
  const { epoch } = await next.agree()
  if (epoch !== 1) throw new Error(`It begins at epoch ${epoch}`)
  for (const member of next.present) {
    await member.update(next.groupId)
    await next.say(member, 'in the group after it')
  }
}
