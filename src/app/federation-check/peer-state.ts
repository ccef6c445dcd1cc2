import type { Pool } from 'pg'
import { sha256 } from '../../protocol/sha256.js'
import type { ReadDirectory } from '../../federation/identity/directory-document.js'
import { reasonForDistrust } from '../../federation/peers/judge-directory.js'
import { endOf } from '../../federation/peers/peer-directory.js'
import { findPastKeys } from '../../federation/peers/peer-directories.repository.js'
import { findPeer, findPeerKeys, listPeers, type ListedPeer } from '../../federation/peers/peers.repository.js'
import { waitingCursors } from '../../federation/push/cursors.repository.js'
import { refusedDeletions } from '../../federation/push/deletions.repository.js'
import { pass, fail, skip, warn, type Check } from './check.js'

const DAY_MS = 86_400_000

/** Whether the directory that is shown now would count here, by what is stored. Nothing is stored by this. */
export async function examineTrust(pool: Pool, domain: string, read: Extract<ReadDirectory, { kind: 'read' }> | undefined): Promise<Check> {
  const name = 'directory-trusted'
  if (!read) return skip(name, 'There is no directory to judge.')
  const row = await findPeer(pool, domain)
  const [pinned, past] = [await findPeerKeys(pool, domain), await findPastKeys(pool, domain)]
  const { signed, directory } = read
  const known = { domain, pinned, past, issuedAt: row?.issuedAt ?? null, payloadHash: row?.payloadHash ?? null }
  const doubt = reasonForDistrust({ signed, directory, payloadHash: sha256(Buffer.from(signed.payload)) }, known, new Date())
  if (doubt !== undefined)
    return fail(
      name,
      `This server does not believe it: ${doubt}. Talk to its operator by another way; then \`peers trust ${domain}\` believes what is shown.`,
    )
  return pass(name, pinned.length === 0 ? 'It would be believed at first sight.' : 'A key that is known here has signed it.')
}

/** What this server remembers of the provider, and what waits for it. */
export async function examineState(pool: Pool, domain: string): Promise<Check[]> {
  const peer = (await listPeers(pool)).find((one) => one.domain === domain)
  const lanes = await examineLanes(pool, domain, peer)
  if (!peer)
    return [skip('stored-directory', 'This server has not met it yet.'), skip('heard', 'This server has not met it yet.'), ...lanes]
  const heard = peer.lastInboundAt
  return [
    storedDirectory(peer),
    heard
      ? pass('heard', `Its last request came ${time(heard)}.`)
      : warn('heard', 'No request of it has come yet: whether it reaches this server shows with the first.'),
    ...lanes,
  ]
}

function storedDirectory(peer: ListedPeer): Check {
  const name = 'stored-directory'
  if (peer.alarm !== null) return fail(name, `There is an alarm: ${peer.alarm}.`)
  if (!peer.endpoints) return skip(name, 'Nothing is stored yet.')
  const end = endOf(
    peer.expiresAt,
    peer.keyEnds.map((notAfter) => ({ notAfter })),
  )
  const left = end.getTime() - Date.now()
  if (left <= 0) return fail(name, `What is stored has ended (${time(end)}): until it is fetched again, nothing of the provider counts.`)
  if (peer.directoryFailingSince)
    return warn(name, `It cannot be fetched since ${time(peer.directoryFailingSince)}; what is stored ends ${time(end)}.`)
  return left < DAY_MS ? warn(name, `What is stored ends ${time(end)}.`) : pass(name, `What is stored counts until ${time(end)}.`)
}

async function examineLanes(pool: Pool, domain: string, peer: ListedPeer | undefined): Promise<Check[]> {
  const groups = (await waitingCursors(pool)).filter((one) => one.domain === domain)
  const stopped = groups.filter((one) => one.stopped).length
  const deletions = (await refusedDeletions(pool)).filter((one) => one.domain === domain).length
  return [
    lane(peer),
    stopped > 0
      ? fail('groups', `${stopped} groups are stopped: see peers list --groups; after the cause is gone, peers retry ${domain}.`)
      : groups.length > 0
        ? warn('groups', `${groups.length} groups wait, and are tried again.`)
        : pass('groups', 'No group waits for it.'),
    deletions > 0
      ? warn('deletions', `It refuses ${deletions} deletions, which are tried again.`)
      : pass('deletions', 'It refuses no deletion.'),
  ]
}

function lane(peer: ListedPeer | undefined): Check {
  if (peer?.paused) return warn('lane', `Nothing is pushed: \`peers resume ${peer.domain}\` continues.`)
  if (!peer || peer.failures === 0) return pass('lane', 'Pushes to it have not failed lately.')
  const next = peer.retryAt ? `; the next try is ${time(peer.retryAt)}` : ''
  return warn('lane', `${peer.failures} pushes in a row failed${next}. \`peers retry ${peer.domain}\` tries at once.`)
}

function time(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '')
}
