import { parseArgs } from 'node:util'
import { listPeers, type ListedPeer } from '../../../federation/peers/peers.repository.js'
import { stoppedCursors, type StoppedCursor } from '../../../federation/push/cursors.repository.js'
import { print, type Command } from '../command.js'
import { withDatabase } from '../with-database.js'

export const peersList: Command = {
  name: 'peers list',
  usage: '[--groups]               Other providers: policy, failures, alarms, stopped groups (--groups: which).',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { groups: { type: 'boolean', default: false } } })
    const { peers, stopped } = await withDatabase(async (pool) => ({ peers: await listPeers(pool), stopped: await stoppedCursors(pool) }))
    if (peers.length === 0 && stopped.length === 0) return print('No other provider is known.')
    const unlisted = new Set(stopped.map(({ domain }) => domain))
    for (const peer of peers) {
      unlisted.delete(peer.domain)
      print(describe(peer, stopped, values.groups))
    }
    for (const domain of unlisted) print([domain, ...describeStopped(domain, stopped, values.groups)].join('\n'))
  },
}

/** E.g. `b.example  allow, paused; 3 failures, next try 2026-01-31T12:00:00Z; last heard never`, and what is wrong below. */
function describe(peer: ListedPeer, stopped: readonly StoppedCursor[], named: boolean): string {
  const standing = [peer.policy ?? 'no policy', ...(peer.paused ? ['paused'] : [])].join(', ')
  const retry = peer.retryAt ? `, next try ${time(peer.retryAt)}` : ''
  const failures = `${peer.failures} ${peer.failures === 1 ? 'failure' : 'failures'}${retry}`
  const lines = [`${peer.domain}  ${standing}; ${failures}; last heard ${peer.lastInboundAt ? time(peer.lastInboundAt) : 'never'}`]
  if (peer.alarm !== null) lines.push(`  ALARM: its directory is not believed: ${printable(peer.alarm)}`)
  if (peer.lastError !== null) lines.push(`  last error ${peer.lastErrorAt ? time(peer.lastErrorAt) : ''}: ${printable(peer.lastError)}`)
  return [...lines, ...describeStopped(peer.domain, stopped, named)].join('\n')
}

function describeStopped(domain: string, all: readonly StoppedCursor[], named: boolean): string[] {
  const causes = Map.groupBy(
    all.filter((cursor) => cursor.domain === domain),
    ({ stopped }) => stopped,
  )
  return [...causes].flatMap(([cause, cursors]) => [
    `  ${cursors.length} ${cursors.length === 1 ? 'group' : 'groups'} stopped: ${printable(cause)}`,
    ...(named ? cursors.map(({ groupId, acked }) => `    ${groupId.toString('base64url')}, stored up to seq ${acked}`) : []),
  ])
}

function time(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '')
}

/** Some of it was written by the peer, and must not speak to the operator's terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}
