import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { Group } from '../../../examples/client/group.js'
import { toHex, utf8 } from '../../../examples/client/wire.js'
import type { Mode } from '../../../src/groups/authority/table.js'
import { addOf } from '../scene-fixture.js'
import type { Dice } from './dice.js'
import { anyPolicy, GroupModel } from './group-model.js'
import type { Effect } from './judge.js'
import { ownGroup, type Player, type Players } from './players.js'
import { Room } from './room.js'

/** Closed groups that are still asked for. */
const CLOSED_ROOMS = 3
/** Devices that a group begins with, besides its creator's. */
const INVITED = 4

/** The groups of a campaign, and the eyes of their members on them. */
export class Rooms {
  readonly all: Room[] = []
  readonly #byId = new Map<string, Room>()

  constructor(
    private readonly crew: Players,
    private readonly dice: Dice,
    private readonly pool: Pool,
  ) {}

  /** Also those that are left alone. */
  get known(): Room[] {
    return [...this.#byId.values()]
  }

  /** Those that take entries. */
  get open(): Room[] {
    return this.all.filter(({ model }) => !model.frozen && !model.deleted)
  }

  /** Something that a device has read of a group. */
  look(group: Group): void {
    if (group.record.standing === 'member') this.#byId.get(toHex(group.record.groupId))?.look(group)
  }

  /** A new group, whose policy is any. */
  async begin(mode: Mode, creator: Player): Promise<void> {
    const policy = anyPolicy(this.dice)
    const [groupId, code] = [utf8(randomUUID()), `open ${randomUUID()}`]
    const room = new Room(groupId, new GroupModel(mode, policy), code)
    room.model.found(creator.client.uri)
    const asked = { ...policy, reports_to_reset: room.model.reportsToReset, ...(policy.external_join === 'code' && { join_code: code }) }
    const group = await creator.client.createGroup({ groupId, mode, policy: asked })
    room.uri = (await creator.client.device.http.get<{ room: string }>(room.path)).room
    this.#enter(room, creator)
    const others = this.dice.shuffled(this.crew.all.filter((one) => one !== creator)).slice(0, INVITED)
    const adds = await Promise.all(others.map(({ client }) => addOf(group, client)))
    await group.commit(() => adds)
    await this.observe(room)
  }

  succeed(old: Room, id: Uint8Array, by: Player): void {
    old.successor = new Room(id, old.model.successor(by.client.uri), old.code)
    Object.assign(old.successor, { uri: old.uri, follows: true })
    this.#enter(old.successor, by)
  }

  forget(room: Room): void {
    this.all.splice(this.all.indexOf(room), 1)
  }

  /** Leaves alone all closed groups but the last ones. */
  forgetClosed(): void {
    const closed = this.all.filter((room) => !this.open.includes(room))
    for (const room of closed.slice(0, Math.max(0, closed.length - CLOSED_ROOMS))) this.forget(room)
  }

  /** Reads what is new in the log by the eyes of the members, and takes it into the model. */
  async observe(room: Room): Promise<Effect[]> {
    const rows = await room.news(this.pool)
    for (const player of this.crew.all) this.#lookAt(player, room)
    for (const player of this.dice.shuffled(this.crew.all)) {
      if (room.knows(rows)) break
      if (!ownGroup(player, room.id)) continue
      await this.crew.sync(player)
      this.#lookAt(player, room)
    }
    const effects = room.take(rows, this.crew.submissions)
    for (const effect of effects) effect(room.model)
    return effects
  }

  /** Entries of one kind, from the log. */
  async kept({ id }: Room, kind: 'c' | 'p' | 'a'): Promise<{ seq: number; bytes: Uint8Array }[]> {
    const { rows } = await this.pool.query<{ seq: number; bytes: Buffer }>(
      'SELECT l.seq::integer, l.bytes FROM log l JOIN groups g USING (gid) WHERE g.group_id = $1 AND l.kind::text = $2 ORDER BY l.seq',
      [id, kind],
    )
    return rows.map(({ seq, bytes }) => ({ seq, bytes: new Uint8Array(bytes) }))
  }

  /** The time passes for which the places of groups that were reset are reserved. */
  async timePasses(): Promise<void> {
    for (const { id, model } of this.all) {
      if (model.frozen !== 'reset') continue
      await this.pool.query("UPDATE groups SET reserved_until = reserved_until - interval '1 year' WHERE group_id = $1", [id])
      model.reserved = false
    }
  }

  #enter(room: Room, by: Player): void {
    this.all.push(room)
    this.#byId.set(toHex(room.id), room)
    this.#lookAt(by, room)
  }

  #lookAt(player: Player, room: Room): void {
    const group = ownGroup(player, room.id)
    if (group) room.look(group)
  }
}
