import type { Proposal } from 'ts-mls'
import { members, type Member } from './commits.js'
import type { Device } from './device.js'
import type { GroupRecord } from './store.js'
import { toBase64Url } from './wire.js'

/**
 * In a private group the server cannot propose the Removes of those who asked to leave or were revoked: it tells the members, and the
 * next one to commit removes them. Not those that `proposals` remove anyway, and nobody next to a ReInit (RFC 9420 §12.2).
 */
export async function membersToLetGo(device: Device, record: GroupRecord, proposals: readonly Proposal[]): Promise<Member[]> {
  if (record.mode === 'public') return []
  const { leaving = [] } = await device.http.get<{ leaving?: string[] }>(`/v1/groups/${toBase64Url(record.groupId)}`)
  const present = members(record.state)
  record.leaving = leaving.filter((client) => present.some((member) => member.client === client) && client !== device.client)
  if (proposals.some(({ proposalType }) => proposalType === 'reinit')) return []
  const removed = new Set(proposals.flatMap((one) => (one.proposalType === 'remove' ? [one.remove.removed] : [])))
  return present.filter(({ client, leafIndex }) => record.leaving?.includes(client) && !removed.has(leafIndex))
}
