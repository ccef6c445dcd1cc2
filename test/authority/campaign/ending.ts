import { randomUUID } from 'node:crypto'
import { expect } from '@jest/globals'
import type { Pool } from 'pg'
import { pendingRemovals } from '../../../examples/client/commits.js'
import type { Group } from '../../../examples/client/group.js'
import { agreeToPolicy } from '../../../examples/client/policy.js'
import { extendChain, initialChain } from '../../../src/protocol/log-chain.js'
import { leaveOutUnlawful } from './hidden.js'
import { ownGroup, type Player, type Players } from './players.js'
import type { Room } from './room.js'

const KINDS = { c: 'commit', p: 'proposal', a: 'application' } as const

interface LogEntry {
  seq: bigint
  kind: keyof typeof KINDS
  epoch: bigint
  hash: Buffer
  chain: Buffer
  incarnation: number
}

/** After a campaign no honest member of an open group is stuck: each can commit, and send. */
export async function everybodyGoesOn(crew: Players, room: Room): Promise<void> {
  for (const player of honestMembers(crew, room)) await goesOn(crew, room, player)
}

/** Then all of them have read one history, which is that of the log. */
export async function expectOneHistory(crew: Players, room: Room, pool: Pool): Promise<void> {
  const honest = honestMembers(crew, room)
  await crew.sync(...honest)
  const groups = honest.map((player) => memberOf(room, player))
  const log = await logOf(pool, room)
  checkLog(room, log)
  expect(new Set(groups.map(({ epochAuthenticator }) => epochAuthenticator)).size).toBeLessThanOrEqual(1)
  for (const group of groups) checkReader(room, group, log)
}

function honestMembers(crew: Players, room: Room): Player[] {
  return crew.all.filter((one) => !one.hostile && room.model.isMember(one.client.uri))
}

async function goesOn(crew: Players, room: Room, player: Player): Promise<void> {
  await crew.sync(player)
  // Removed by what another one has just carried out: `expectOneHistory` finds out who is stuck.
  const group = ownGroup(player, room.id)
  if (!group) return
  const { state } = group.record
  leaveOutUnlawful(room.model, group)
  leaveOutReInits(group)
  // Only another one can carry that out (RFC 9420 §12.2).
  if (pendingRemovals(state).has(state.privatePath.leafIndex)) return
  agreeToPolicy(group, room.model.policy)
  await group.update()
  leaveOutReInits(group)
  const text = randomUUID()
  const { seq } = await group.send(text)
  room.texts.push({ seq, text })
}

/** The group is to go on. */
function leaveOutReInits({ record }: Group): void {
  const reinits = Object.entries(record.state.unappliedProposals).filter(([, { proposal }]) => proposal.proposalType === 'reinit')
  record.voided = [...(record.voided ?? []), ...reinits.map(([ref]) => ref)]
}

function memberOf(room: Room, player: Player): Group {
  const group = ownGroup(player, room.id)
  if (group) return group
  const record = player.client.store.group(room.id)
  const lost = player.client.lostWelcomes.map(({ reason }) => reason)
  throw new Error(
    `${player.client.uri} is ${record?.standing ?? 'not there'}: ${JSON.stringify(record?.failures)} ${lost.join()}\n${room.history.join('\n')}`,
  )
}

async function logOf(pool: Pool, room: Room): Promise<LogEntry[]> {
  const { rows } = await pool.query<LogEntry>(
    `SELECT l.seq, l.kind, l.epoch, l.hash, l.chain, g.incarnation FROM log l JOIN groups g USING (gid)
      WHERE g.group_id = $1 ORDER BY l.seq`,
    [room.id],
  )
  return rows
}

/** Gapless, one Commit per epoch, and a hash chain that adds up. */
function checkLog(room: Room, log: readonly LogEntry[]): void {
  expect(log.map(({ seq }) => Number(seq))).toEqual(log.map((_, index) => index + 1))
  const commits = log.filter(({ kind }) => kind === 'c').map(({ epoch }) => Number(epoch))
  expect(commits).toEqual(commits.map((_, index) => index))
  let chain = initialChain(room.id, log[0]?.incarnation ?? 1)
  for (const { seq, kind, epoch, hash, chain: written } of log) {
    chain = extendChain(chain, { seq, kind: KINDS[kind], epoch, hash })
    expect(Buffer.from(chain).equals(written)).toBe(true)
  }
}

/** It is in the tree that the model has, no Commit failed, and it has read each message of honest members since it came, once. */
function checkReader(room: Room, { record, members }: Group, log: readonly LogEntry[]): void {
  const failed = record.failures.filter(({ seq }) => log[seq - 1]?.kind === 'c')
  expect(failed).toEqual([])
  const inside = [...room.model.standings].filter(([, one]) => one.in).map(([device]) => device)
  expect([...members].sort()).toEqual(inside.sort())
  const joinEpoch = record.joinedAt === 0 ? 0n : (log[record.joinedAt - 1]?.epoch ?? 0n) + 1n
  const meant = room.texts.filter(({ seq }) => seq > record.joinedAt && log[seq - 1]!.epoch >= joinEpoch)
  const read = record.messages.filter(({ text }) => meant.some((one) => one.text === text))
  expect(read.map(({ seq, text }) => ({ seq, text }))).toEqual(meant.toSorted((one, other) => one.seq - other.seq))
}
