import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { Group } from '../../../examples/client/group.js'
import { ServerProblem } from '../../../examples/client/http.js'
import { toHex, utf8 } from '../../../examples/client/wire.js'
import { ACTIONS, type Action } from '../../../src/groups/authority/actions.js'
import type { Mode } from '../../../src/groups/authority/table.js'
import type { TestServer } from '../../support/server.js'
import { addOf } from '../scene-fixture.js'
import { Dice } from './dice.js'
import { GroupModel } from './group-model.js'
import { expectNobodyStuck } from './ending.js'
import { leaveOutUnlawful } from './hidden.js'
import { agrees, moments, said } from './judge.js'
import { MOVES, Unsent, type Move, type Scene } from './moves.js'
import { ownGroup, Players, type Player } from './players.js'
import { Room } from './room.js'

const HONEST = ['alice', 'bob', 'carol', 'alice/laptop', 'bob/laptop', 'carol/laptop']
const HOSTILE = ['mallory', 'trudy', 'mallory/laptop']
/** Groups that take entries, at least. */
const OPEN_ROOMS = 3
/** Closed ones that are still asked for. */
const CLOSED_ROOMS = 3
/** What ends a group, or a membership, is rarer. */
const RARE: Partial<Record<Action, number>> = {
  'commit-reinit': 0.1,
  'propose-reinit': 0.1,
  reset: 0.2,
  delete: 0.1,
  leave: 0.4,
  ban: 0.5,
  'create-branch': 0.3,
}
const ACTION_NAMES = Object.keys(ACTIONS) as Action[]
const WEIGHTS = Object.fromEntries(ACTION_NAMES.map((action) => [action, RARE[action] ?? 1])) as Record<Action, number>

interface Answered {
  move: Move
  answer: string
}

/** What has to be done before something can be met, if it cannot be met as things stand. */
const SETUPS: Partial<Record<Action, Action>> = {
  'commit-remove-leaving': 'leave',
  'commit-remove-admin': 'make-admin',
  'propose-remove-admin': 'make-admin',
  'commit-remove-own': 'commit-add-own',
  'propose-remove-own': 'commit-add-own',
  'reset-by-reports': 'report',
  'create-successor': 'reset',
  unban: 'ban',
}

/** Honest and hostile devices that ask two nodes for everything at random, and an oracle that knows what the page says. */
export class Campaign implements Scene {
  readonly dice: Dice
  readonly rooms: Room[] = []
  readonly #byId = new Map<string, Room>()
  readonly crew: Players
  /** `commit-add hostile refused`: how often. */
  readonly coverage = new Map<string, number>()
  readonly unsent = new Map<string, number>()
  readonly #pool: Pool
  step = 0

  constructor(
    nodes: readonly TestServer[],
    readonly mode: Mode,
    readonly seed: number,
  ) {
    this.dice = new Dice(seed)
    this.#pool = nodes[0]!.pool
    this.crew = new Players(nodes, this.dice, (group) => this.#look(group))
  }

  get players(): readonly Player[] {
    return this.crew.all
  }

  async prepare(): Promise<void> {
    for (const name of HONEST) await this.crew.enrol(name, false)
    for (const name of HOSTILE) await this.crew.enrol(name, true)
    while (this.#open().length < OPEN_ROOMS) await this.#begin()
  }

  /** Some steps, and more until everything was met; at most `most`. */
  async run(steps: number, most = 4 * steps): Promise<void> {
    for (this.step = 0; this.step < steps || (this.step < most && this.missing().length > 0); this.step++) {
      await this.#tidy()
      if (this.dice.chance(0.02)) await this.#uprising()
      else if (this.dice.chance(0.25)) await this.#burst(Array.from({ length: 2 + Math.floor(this.dice.next() * 3) }, () => this.#choose()))
      else await this.#burst([this.#choose()])
    }
  }

  /** Nobody is stuck, and no Welcome was lost. */
  async end(): Promise<void> {
    for (const room of this.#open()) {
      await this.#observe(room)
      await expectNobodyStuck(this.crew, room, this.#pool)
      await this.#observe(room)
    }
  }

  succeed(old: Room, id: Uint8Array, by: Player): void {
    old.succeeded = true
    const room = new Room(id, old.model.successor(by.client.uri), old.code)
    this.#enter(room)
    this.#lookAt(by, room)
  }

  /** Cells that were never met: the action, who, and whether it was refused. */
  missing(): string[] {
    const cells = ACTION_NAMES.flatMap((action) =>
      ['honest', 'hostile'].flatMap((who) => ['yes', 'refused'].map((outcome) => `${action} ${who} ${outcome}`)),
    )
    return cells.filter((cell) => !this.coverage.has(cell))
  }

  #open(): Room[] {
    return this.rooms.filter(({ model, broken }) => !model.frozen && !model.deleted && !broken)
  }

  #enter(room: Room): void {
    this.rooms.push(room)
    this.#byId.set(toHex(room.id), room)
  }

  #look(group: Group): void {
    if (group.record.standing === 'member') this.#byId.get(toHex(group.record.groupId))?.look(group)
  }

  /** New groups for those that have ended. */
  async #tidy(): Promise<void> {
    while (this.#open().length < OPEN_ROOMS) await this.#begin()
    const closed = this.rooms.filter((room) => !this.#open().includes(room))
    for (const room of closed.slice(0, Math.max(0, closed.length - CLOSED_ROOMS))) this.rooms.splice(this.rooms.indexOf(room), 1)
  }

  async #begin(): Promise<void> {
    const creator = this.dice.pick(this.players.filter(({ hostile }) => !hostile || this.dice.chance(0.3)))!
    const policy = {
      external_join: this.dice.pick(['none', 'same-user', 'code', 'open'] as const)!,
      add_members: this.dice.pick(['members', 'members', 'admins'] as const)!,
      remove_members: this.dice.pick(['members', 'admins'] as const)!,
    }
    const [id, code] = [utf8(randomUUID()), `open sesame ${this.rooms.length}`]
    const room = new Room(id, new GroupModel(this.mode, policy), code)
    room.model.found(creator.client.uri)
    const group = await creator.client.createGroup({
      groupId: id,
      mode: this.mode,
      policy: { ...policy, reports_to_reset: room.model.reportsToReset, ...(policy.external_join === 'code' ? { join_code: code } : {}) },
    })
    this.#enter(room)
    this.#look(group)
    const others = this.dice.shuffled(this.players.filter((one) => one !== creator)).slice(0, 4)
    const adds = await Promise.all(others.map(({ client }) => addOf(group, client)))
    await group.commit(() => adds)
    await this.#observe(room)
  }

  /** All who can report a Commit do; then one who is no admin resets the group. */
  async #uprising(): Promise<void> {
    const room = this.dice.pick(this.#open())
    if (!room) return
    for (const by of this.players) if (room.model.isMember(by.client.uri)) await this.#burst([MOVES.report(this, by, room)])
    const by = this.dice.pick(this.players.filter(({ client }) => !room.model.admins.has(client.user)))
    if (by) await this.#burst([MOVES['reset-by-reports'](this, by, room)])
  }

  async #burst(chosen: readonly (Move | undefined)[]): Promise<void> {
    const moves = withoutChangesBesides(chosen.filter((move) => move !== undefined))
    for (const { by, room } of moves) {
      // Whom others have added has its Welcome first; else one can be late.
      const invited = room.model.isMember(by.client.uri) && !ownGroup(by, room.id)
      if (invited || this.dice.chance(0.85)) await this.crew.sync(by)
      const own = ownGroup(by, room.id)
      if (own) {
        own.record.externalJoin = room.model.policy.external_join !== 'none'
        leaveOutUnlawful(room.model, own)
      }
      this.crew.roam(by.client)
    }
    const answered = await Promise.all(moves.map(async (move): Promise<Answered> => ({ move, answer: await answerOf(move) })))
    for (const { move, answer } of answered) if (answer === 'yes') move.accepted?.()
    for (const room of new Set(moves.map((move) => move.room))) {
      await this.#settle(
        room,
        answered.filter(({ move }) => move.room === room),
      )
    }
  }

  /** Compares the answers with the page, and takes what was accepted into the model. */
  async #settle(room: Room, answered: readonly Answered[]): Promise<void> {
    const before = room.model.clone()
    const effects = answered.map(({ move, answer }) => (answer === 'yes' ? move.effect?.bind(move) : undefined))
    for (const effect of effects) effect?.(room.model)
    const deltas = await this.#observe(room)
    for (const [index, { move, answer }] of answered.entries()) {
      const others = effects.filter((effect, other) => other !== index && effect !== undefined) as ((model: GroupModel) => void)[]
      const models = answered.length === 1 ? [before] : moments(before, deltas, others)
      this.#judge({ move, answer }, models)
    }
    await this.#checkPolicy(room)
  }

  /** @param models the group as it may have been; the first is the one before */
  #judge({ move, answer }: Answered, models: readonly GroupModel[]): void {
    const who = move.by.hostile ? 'hostile' : 'honest'
    const words = said(move, models)
    const line = `${this.step}: ${who} ${move.by.client.uri} ${move.name}: ${answer}`
    move.room.history.push(`${line} (page: ${[...words].join(' or ')})`)
    if (answer.startsWith('unsent')) return void this.unsent.set(answer, (this.unsent.get(answer) ?? 0) + 1)
    if (!agrees(answer, words, move, models)) throw this.disagreement(move.room, `${line}, but the page says ${[...words].join(' or ')}`)
    if (!words.has(answer)) return
    for (const row of [move.row(models[0] ?? move.room.model)].flat()) {
      const cell = `${row} ${who} ${answer === 'yes' ? 'yes' : 'refused'}`
      this.coverage.set(cell, (this.coverage.get(cell) ?? 0) + 1)
    }
  }

  disagreement(room: Room, what: string): Error {
    const standings = [...room.model.standings].map(([device, standing]) => `  ${device} ${JSON.stringify(standing)}`)
    const { policy, admins, banned } = room.model
    const group = `policy ${JSON.stringify(policy)}, admins ${[...admins].join()}, banned ${[...banned].join()}`
    const seed = `CAMPAIGN_SEED=${this.seed}, ${this.mode} group ${room.path}`
    return new Error([what, seed, group, ...standings, 'What happened to it:', ...room.history.slice(-40)].join('\n'))
  }

  /** Mostly something that has not been met yet, or what has to be done before. */
  #choose(): Move | undefined {
    const [cell = ''] = this.dice.chance(0.7) ? this.dice.shuffled(this.missing()) : []
    const [action, who, outcome] = cell.split(' ') as [Action | '', string?, string?]
    if (action === '') return this.#find(this.dice.weighted(WEIGHTS))
    const setup = SETUPS[action]
    return this.#find(action, who, outcome) ?? (setup && this.#find(setup, undefined, 'yes'))
  }

  #find(action: Action, who?: string, outcome?: string): Move | undefined {
    for (const room of this.dice.shuffled(this.rooms)) {
      for (const by of this.dice.shuffled(this.players)) {
        if (who !== undefined && by.hostile !== (who === 'hostile')) continue
        // Honest people do not act with the bytes of others.
        if (!by.hostile && /^(commit|propose|post|publish|create-branch)/u.test(action) && !canAct(by, room, action)) continue
        const move = MOVES[action](this, by, room)
        if (move && (outcome === undefined || said(move, [room.model]).has('yes') === (outcome === 'yes'))) return move
      }
    }
    return undefined
  }

  /** Reads what is new in the log by the eyes of the members. */
  async #observe(room: Room): Promise<((model: GroupModel) => void)[]> {
    const rows = await room.news(this.#pool)
    for (const player of this.players) this.#lookAt(player, room)
    for (const player of this.dice.shuffled(this.players)) {
      if (room.knows(rows)) break
      if (!ownGroup(player, room.id)) continue
      await this.crew.sync(player)
      this.#lookAt(player, room)
    }
    const deltas = room.take(rows, this.crew.submissions)
    for (const delta of deltas) delta(room.model)
    return deltas
  }

  #lookAt(player: Player, room: Room): void {
    const group = ownGroup(player, room.id)
    if (group) room.look(group)
  }

  /** The server's list of admins is the model's. */
  async #checkPolicy(room: Room): Promise<void> {
    if (room.model.deleted) return
    const asker = this.players.find(({ client }) => room.model.isMember(client.uri))
    if (!asker) return
    const { admins, ...policy } = await asker.client.device.http.get<{ admins: string[]; external_join: string }>(`${room.path}/policy`)
    if (!room.model.areAdmins(admins)) throw this.disagreement(room, `The server's admins are ${admins.join()}`)
    if (policy.external_join !== room.model.policy.external_join)
      throw this.disagreement(room, `The server's policy is ${JSON.stringify(policy)}`)
  }
}

/** What a successor takes over would be unknown if it changed at the same time. */
function withoutChangesBesides(moves: readonly Move[]): Move[] {
  const succeeded = new Set(moves.flatMap((move) => (move.accepted ? [move.room] : [])))
  return moves.filter((move) => !succeeded.has(move.room) || move.accepted || !move.effect)
}

function canAct(by: Player, room: Room, action: Action): boolean {
  return action.endsWith('join') || ownGroup(by, room.id) !== undefined
}

async function answerOf(move: Move): Promise<string> {
  try {
    await move.run()
    return 'yes'
  } catch (error) {
    if (error instanceof ServerProblem) {
      move.room.history.push(`  ${move.name}: ${error.message} ${String(error.document['rule'] ?? '')}`)
      return error.kind
    }
    if (error instanceof Unsent) return `unsent: ${error.message}`
    if (error instanceof Error) return `unsent: client: ${error.message}`
    throw error
  }
}
