import { randomUUID } from 'node:crypto'
import type { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { groupInfoRequest } from '../../examples/recorded/sealed-info.js'
import { toBase64Url, toJson, utf8 } from '../../examples/client/wire.js'
import { at, draft, type Stage } from '../groups/group-fixture.js'
import { signedProposal } from '../groups/hostile.js'
import { proposals } from '../support/mls/proposals.js'
import { addressOf, OPERATIONS, type Operation } from './operations.js'

/** What a group is like when it is asked for. */
export const STATES = ['live', 'frozen', 'deleted', 'unknown'] as const
export type State = (typeof STATES)[number]

/** Who asks: with a session of its own, and this relation to each group. */
export const CALLERS = ['stranger', 'removed', 'banned', 'member', 'admin'] as const
export type Caller = (typeof CALLERS)[number]

export const OF_GROUPS = OPERATIONS.filter(({ path, anonymous }) => path.startsWith('/v1/groups/{groupId}') && !anonymous)

export interface Answered {
  readonly status: number
  /** The last part of the problem's type; empty if it is none. */
  readonly type: string
}

/** Five people around a group of each state, and requests that the rightful caller would succeed with. */
export class Matrix {
  readonly people = new Map<Caller, Client>()
  private readonly groups = new Map<State, Group>()
  private readonly bodies = new Map<string, unknown>()

  constructor(private readonly stage: Stage) {}

  async prepare(): Promise<void> {
    const cast = await this.stage.cast('stranger', 'removed', 'banned', 'member', 'admin')
    for (const [index, caller] of CALLERS.entries()) this.people.set(caller, cast[index]!)
    const [stranger, removed, banned, member, admin] = cast
    for (const state of ['live', 'frozen', 'deleted'] as const) {
      const group = await this.stage.group(admin, [removed, banned, member], { mode: 'public', room: randomUUID() })
      await group.remove(removed.uri, banned.uri)
      await admin.device.http.put(`${group.path}/bans?user=${encodeURIComponent(banned.user)}`)
      await this.stage.sync(removed, banned, member)
      this.groups.set(state, group)
      await this.prepareBodies(state, group)
      if (state === 'frozen') await admin.device.http.post(`${group.path}/reset`)
      if (state === 'deleted') await group.delete()
    }
    for (const client of [stranger, removed, banned, member, admin])
      this.bodies.set(`getSealedGroupInfo ${client.uri}`, { request: await groupInfoRequest(client) })
  }

  /** What the member is to send: the messages are of the epoch in which the group was when it was live. */
  private async prepareBodies(state: State, group: Group): Promise<void> {
    const own = at(this.people.get('member')!, group)
    this.bodies.set(`postMessage ${state}`, { message: await own.encrypt('Hello', own.epoch) })
    this.bodies.set(`submitProposal ${state}`, {
      proposal: await signedProposal(own, proposals.remove(own.record.state.privatePath.leafIndex)),
    })
    this.bodies.set(`submitCommit ${state}`, (await draft(own)).bundle)
  }

  /** A request as openapi.yaml describes it, about a group of this state and about the member where it is about a user. */
  ask(operation: Operation, state: State, caller: Caller): Promise<Answered> {
    return this.send(operation, state, this.people.get(caller))
  }

  async send(operation: Operation, state: State, client: Client | undefined, token?: string): Promise<Answered> {
    const groupId = this.groups.get(state)?.record.groupId ?? utf8('nobody knows it')
    const examples = Object.fromEntries(operation.parameters.map(({ name, example }) => [name, String(example ?? '')]))
    const optional = operation.parameters.filter(({ required }) => required !== true).map(({ name }) => name)
    const values = { ...examples, groupId: toBase64Url(groupId), user: this.people.get('member')?.user ?? '' }
    const needed = Object.fromEntries(Object.entries(values).filter(([name]) => !optional.includes(name)))
    const body = this.bodyOf(operation, state, client)
    const address = this.stage.server.url + addressOf(operation, needed)
    const response = await fetch(address, {
      method: operation.method,
      headers: {
        ...(token === undefined ? client?.device.http.credentials(operation.method, address) : { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: toJson(body) }),
    })
    return { status: response.status, type: /"urn:microchat:problem:([a-z-]+)"/.exec(await response.text())?.[1] ?? '' }
  }

  private bodyOf({ id, content }: Operation, state: State, client: Client | undefined): unknown {
    // Of a group that nobody knows there are no messages: those of a live one do as well.
    const made = this.bodies.get(`${id} ${state === 'unknown' ? 'live' : state}`) ?? this.bodies.get(`${id} ${client?.uri}`)
    return made ?? content['application/json']?.example
  }

  /** A fingerprint of every table: what refused requests must not change. */
  async fingerprint(): Promise<Map<string, string>> {
    const { rows } = await this.stage.pool.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
    )
    const prints = new Map<string, string>()
    for (const { name } of rows) {
      const { rows: found } = await this.stage.pool.query<{ print: string | null }>(
        `SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) AS print FROM "${name}" t`,
      )
      prints.set(name, found[0]?.print ?? '')
    }
    return prints
  }
}
