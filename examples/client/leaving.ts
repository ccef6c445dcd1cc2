import type { Proposal } from 'ts-mls'
import { members } from './commits.js'
import type { Device } from './device.js'
import type { GroupRecord } from './store.js'

/** Clients that a Commit lets go, and the Proposals by which it does. */
interface LetGo {
  clients: string[]
  removes: Proposal[]
}

/**
 * In a private group the server cannot propose the Removes of those who asked to leave or were revoked: it tells the members, and whoever
 * commits next removes them. Not those that `proposals` remove anyway, and nobody next to a ReInit (RFC 9420 §12.2).
 */
export async function letGo(device: Device, path: string, record: GroupRecord, proposals: readonly Proposal[]): Promise<LetGo> {
  if (record.mode === 'public') return { clients: [], removes: [] }
  const { leaving = [] } = await device.http.get<{ leaving?: string[] }>(path)
  const going = members(record.state).filter(({ client }) => leaving.includes(client) && client !== device.client)
  record.leaving = going.map(({ client }) => client)
  if (proposals.some(({ proposalType }) => proposalType === 'reinit')) return { clients: [], removes: [] }
  const removed = new Set(proposals.flatMap((one) => (one.proposalType === 'remove' ? [one.remove.removed] : [])))
  const left = going.filter(({ leafIndex }) => !removed.has(leafIndex))
  return {
    clients: left.map(({ client }) => client),
    removes: left.map(({ leafIndex }) => ({ proposalType: 'remove', remove: { removed: leafIndex } })),
  }
}
