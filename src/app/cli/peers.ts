import { parseArgs } from 'node:util'
import type { Pool } from 'pg'
import { listPeers, type ListedPeer, setPolicy, clearBackOff, setPaused, findPeer } from '../../federation/peers/peers.repository.js'
import { forgetKeys } from '../../federation/peers/peer-directories.repository.js'
import { endOf } from '../../federation/peers/peer-directory.js'
import { listPeerStorage, type PeerStorage } from '../../federation/quotas/replica-storage.repository.js'
import { waitingCursors, type WaitingCursor, resumeCursors } from '../../federation/push/cursors.repository.js'
import { refusedDeletions, type RefusedDeletion, resumeDeletions } from '../../federation/push/deletions.repository.js'
import { countEvidence, type HubFindings } from '../../federation/evidence/evidence.repository.js'
import type { Config } from '../../platform/config/config.js'
import { transaction } from '../../platform/postgres/sql.js'
import { print, type Command, CliError, withDatabase } from './command.js'
import { peerDomain } from './peer-domain.js'

/** A command about one other provider: what it does, and what it says of that. */
export function peerCommand(name: string, usage: string, work: (pool: Pool, domain: string, config: Config) => Promise<string>): Command {
  return {
    name: `peers ${name}`,
    usage,
    async run(args) {
      const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
      const domain = peerDomain(positionals)
      print(
        await withDatabase((pool, config) => {
          if (domain === config.DOMAIN) throw new CliError(`${domain} is this server itself.`)
          return work(pool, domain, config)
        }),
      )
    },
  }
}

export const peersList: Command = {
  name: 'peers list',
  usage: '[--groups]               Other providers: policy, failures, alarms, stopped groups, refused deletions (--groups: which).',
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { groups: { type: 'boolean', default: false } } })
    const { peers, storage, waiting } = await withDatabase(async (pool) => ({
      peers: await listPeers(pool),
      storage: new Map((await listPeerStorage(pool)).map((one) => [one.domain, one])),
      waiting: {
        cursors: await waitingCursors(pool),
        refused: await refusedDeletions(pool),
        found: await countEvidence(pool),
        named: values.groups,
      },
    }))
    const unlisted = new Set(
      [...waiting.cursors, ...waiting.refused, ...waiting.found.map(({ hub }) => ({ domain: hub }))].map(({ domain }) => domain),
    )
    if (peers.length === 0 && unlisted.size === 0) return print('No other provider is known.')
    for (const peer of peers) {
      unlisted.delete(peer.domain)
      print(describe(peer, storage.get(peer.domain), waiting))
    }
    for (const domain of unlisted) print([domain, ...describeWaiting(domain, waiting)].join('\n'))
  },
}

/** What peers refuse. */
interface Waiting {
  readonly cursors: readonly WaitingCursor[]
  readonly refused: readonly RefusedDeletion[]
  /** What they have signed against themselves. */
  readonly found: readonly HubFindings[]
  /** Group by group. */
  readonly named: boolean
}

/** E.g. `b.example  allow, paused; 3 failures, next try 2026-01-31T12:00:00Z; last heard never`, and what is wrong below. */
function describe(peer: ListedPeer, storage: PeerStorage | undefined, waiting: Waiting): string {
  const standing = [peer.policy ?? 'no policy', ...(peer.paused ? ['paused'] : [])].join(', ')
  const retry = peer.retryAt ? `, next try ${time(peer.retryAt)}` : ''
  const failures = `${peer.failures} ${peer.failures === 1 ? 'failure' : 'failures'}${retry}`
  const lines = [`${peer.domain}  ${standing}; ${failures}; last heard ${peer.lastInboundAt ? time(peer.lastInboundAt) : 'never'}`]
  if (peer.alarm !== null) lines.push(`  ALARM: its directory is not believed: ${printable(peer.alarm)}`)
  if (peer.issuerRefusal !== null) lines.push(`  ALARM: its keys for send tokens are not believed: ${printable(peer.issuerRefusal)}`)
  if (peer.directoryError !== null) lines.push(`  DIRECTORY: ${directoryTrouble(peer)}`)
  if (peer.clockOffset !== null)
    lines.push(`  CLOCK: ${clock(peer.clockOffset)}; no request or answer of it counts until one of the two is right`)
  if (peer.lastError !== null) lines.push(`  last error ${peer.lastErrorAt ? time(peer.lastErrorAt) : ''}: ${printable(peer.lastError)}`)
  return [...lines, ...describeStorage(storage), ...describeWaiting(peer.domain, waiting)].join('\n')
}

/** For how long it shows that a batch was held back: hubs try again within an hour. */
const HELD_BACK_MS = 3_600_000

/** E.g. `keeps 12.3 MiB here in its groups, 2 of them new; sent 1.0 MiB in the last minute`. */
function describeStorage(storage: PeerStorage | undefined): string[] {
  if (storage === undefined || (storage.bytes === 0n && storage.heldBackAt === null)) return []
  const { bytes, newGroups, minuteBytes, heldBackAt, heldBack } = storage
  const lines = [`  keeps ${size(bytes)} here in its groups, ${newGroups} of them new; sent ${size(minuteBytes)} in the last minute`]
  if (heldBackAt !== null && Date.now() - heldBackAt.getTime() < HELD_BACK_MS)
    lines.push(`  HELD BACK: a batch was not stored at ${time(heldBackAt)}, by the limit ${printable(heldBack ?? '')}`)
  return lines
}

function size(bytes: bigint): string {
  return `${(Number(bytes) / 2 ** 20).toFixed(1)} MiB`
}

/** E.g. `cannot be fetched since 2026-01-31T12:00:00Z (timed-out: …); its keys count until 2026-02-06T12:00:00Z`. */
function directoryTrouble({ directoryFailingSince: since, directoryError: error, expiresAt, keyEnds }: ListedPeer): string {
  const end = endOf(
    expiresAt,
    keyEnds.map((notAfter) => ({ notAfter })),
  )
  const count = end.getTime() > Date.now() ? `its keys count until ${time(end)}` : `its keys have not counted since ${time(end)}`
  return `cannot be fetched since ${since ? time(since) : 'lately'} (${printable(error ?? '')}); ${count}`
}

function describeWaiting(domain: string, { cursors, refused, found, named }: Waiting): string[] {
  const deletions = refused.filter((deletion) => deletion.domain === domain)
  const causes = [...new Set(deletions.map(({ lastError }) => printable(lastError)))].join(' / ')
  const count = `${deletions.length} ${deletions.length === 1 ? 'deletion' : 'deletions'}`
  const evidence = found.filter(({ hub }) => hub === domain)
  return [
    ...evidence.map(
      ({ findings, stopped }) =>
        `  EVIDENCE: ${findings} open, by which ${stopped} ${stopped === 1 ? 'group is' : 'groups are'} followed no further; see evidence list`,
    ),
    ...describeCursors(domain, cursors, named),
    ...(deletions.length > 0 ? [`  ${count} refused, and tried again: ${causes}`] : []),
    ...(named ? deletions.map(({ groupId }) => `    ${groupId.toString('base64url')}`) : []),
  ]
}

function describeCursors(domain: string, all: readonly WaitingCursor[], named: boolean): string[] {
  const causes = Map.groupBy(
    all.filter((cursor) => cursor.domain === domain),
    ({ stopped, why }) => `${stopped ? 'stopped' : 'tried again'}: ${printable(why)}`,
  )
  return [...causes].flatMap(([cause, cursors]) => [
    `  ${cursors.length} ${cursors.length === 1 ? 'group' : 'groups'} ${cause}`,
    ...(named ? cursors.map(({ groupId, acked }) => `    ${groupId.toString('base64url')}, stored up to seq ${acked}`) : []),
  ])
}

/** E.g. `95 seconds ahead of this server's`. */
function clock(offset: number): string {
  return `${Math.abs(offset)} seconds ${offset > 0 ? 'ahead of' : 'behind'} this server's`
}

function time(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '')
}

/** Some of it was written by the peer, and must not speak to the operator's terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?')
}

type Policy = 'allow' | 'deny' | null

const SAID = new Map<Policy, string>([
  ['allow', 'allowed'],
  ['deny', 'denied'],
  [null, 'as strangers are'],
])

const command = (name: string, usage: string, policy: Policy) =>
  peerCommand(name, usage, async (pool, domain, { FEDERATION }) => {
    await setPolicy(pool, domain, policy)
    return `${domain} is ${SAID.get(policy) ?? ''} from now on; running servers know within 5 seconds.${caveat(FEDERATION, policy)}`
  })

/** What was said is kept, but counts under one of the settings only. */
function caveat(setting: Config['FEDERATION'], policy: Policy): string {
  const under = policy === 'allow' ? 'allow-list' : 'deny-list'
  if (policy === null || setting === under) return ''
  if (setting === 'allow-list' || setting === 'deny-list') return ''
  return `\nThis changes nothing while FEDERATION is ${setting}: it counts with ${under}.`
}

export const peersAllow = command('allow', 'DOMAIN                  Let a provider in, where FEDERATION is allow-list.', 'allow')
export const peersDeny = command('deny', 'DOMAIN                   Keep a provider out, where FEDERATION is deny-list.', 'deny')
export const peersReset = command('reset', 'DOMAIN                  Forget that a provider was allowed or denied.', null)

export const peersPause = peerCommand(
  'pause',
  'DOMAIN                  Push nothing to a provider until it is resumed; it may still ask.',
  async (pool, domain) => {
    await setPaused(pool, domain, true)
    return `Nothing is pushed to ${domain} until \`peers resume\`. What its members miss is kept for them.`
  },
)

export const peersResume = peerCommand('resume', 'DOMAIN                 Push to a provider again.', async (pool, domain) => {
  await setPaused(pool, domain, false)
  return `Pushing to ${domain} continues with the next sweep.`
})

export const peersRetry = peerCommand(
  'retry',
  'DOMAIN                  Try a provider again at once, its stopped groups and refused deletions too.',
  async (pool, domain) => {
    const { groups, deletions } = await transaction(pool, async (sql) => {
      await clearBackOff(sql, domain)
      return { groups: await resumeCursors(sql, domain), deletions: await resumeDeletions(sql, domain) }
    })
    const refused = deletions > 0 ? ` and ${deletions} refused ${deletions === 1 ? 'deletion' : 'deletions'}` : ''
    return `${domain} is tried again with the next sweep, ${groups} stopped ${groups === 1 ? 'group' : 'groups'}${refused} included.`
  },
)

export const peersTrust = peerCommand(
  'trust',
  'DOMAIN                  Forget the keys of a provider: believe the directory that it shows next.',
  async (pool, domain) => {
    const known = await transaction(pool, async (sql) => {
      if (!(await findPeer(sql, domain))) return false
      await forgetKeys(sql, domain)
      return true
    })
    if (!known) throw new CliError(`There is no provider ${domain} that is known here.`)
    return `The keys of ${domain} are forgotten. The directory that it shows next is believed; running servers ask within 30 seconds.`
  },
)
