import { parseArgs } from 'node:util'
import { listPeers, type ListedPeer } from '../../../federation/peers/peers.repository.js'
import { stoppedCursors, type StoppedCursor } from '../../../federation/push/cursors.repository.js'
import { refusedDeletions, type RefusedDeletion } from '../../../federation/push/deletions.repository.js'
import { print, type Command } from '../command.js'
import { withDatabase } from '../with-database.js'

export const peersList: Command = {
  name: 'peers list',
  usage: '[--groups]               Other providers: policy, failures, alarms, stopped groups, refused deletions (--groups: which).',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { groups: { type: 'boolean', default: false } } })
    const { peers, waiting } = await withDatabase(async (pool) => ({
      peers: await listPeers(pool),
      waiting: { stopped: await stoppedCursors(pool), refused: await refusedDeletions(pool), named: values.groups },
    }))
    const unlisted = new Set([...waiting.stopped, ...waiting.refused].map(({ domain }) => domain))
    if (peers.length === 0 && unlisted.size === 0) return print('No other provider is known.')
    for (const peer of peers) {
      unlisted.delete(peer.domain)
      print(describe(peer, waiting))
    }
    for (const domain of unlisted) print([domain, ...describeWaiting(domain, waiting)].join('\n'))
  },
}

/** What peers refuse. */
interface Waiting {
  readonly stopped: readonly StoppedCursor[]
  readonly refused: readonly RefusedDeletion[]
  /** Group by group. */
  readonly named: boolean
}

/** E.g. `b.example  allow, paused; 3 failures, next try 2026-01-31T12:00:00Z; last heard never`, and what is wrong below. */
function describe(peer: ListedPeer, waiting: Waiting): string {
  const standing = [peer.policy ?? 'no policy', ...(peer.paused ? ['paused'] : [])].join(', ')
  const retry = peer.retryAt ? `, next try ${time(peer.retryAt)}` : ''
  const failures = `${peer.failures} ${peer.failures === 1 ? 'failure' : 'failures'}${retry}`
  const lines = [`${peer.domain}  ${standing}; ${failures}; last heard ${peer.lastInboundAt ? time(peer.lastInboundAt) : 'never'}`]
  if (peer.alarm !== null) lines.push(`  ALARM: its directory is not believed: ${printable(peer.alarm)}`)
  if (peer.lastError !== null) lines.push(`  last error ${peer.lastErrorAt ? time(peer.lastErrorAt) : ''}: ${printable(peer.lastError)}`)
  return [...lines, ...describeWaiting(peer.domain, waiting)].join('\n')
}

function describeWaiting(domain: string, { stopped, refused, named }: Waiting): string[] {
  const deletions = refused.filter((deletion) => deletion.domain === domain)
  const causes = [...new Set(deletions.map(({ lastError }) => printable(lastError)))].join(' / ')
  const count = `${deletions.length} ${deletions.length === 1 ? 'deletion' : 'deletions'}`
  return [
    ...describeStopped(domain, stopped, named),
    ...(deletions.length > 0 ? [`  ${count} refused, and tried again: ${causes}`] : []),
    ...(named ? deletions.map(({ groupId }) => `    ${groupId.toString('base64url')}`) : []),
  ]
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
