import type { Proposal } from 'ts-mls'
import { members } from '../../../examples/client/commits.js'
import type { Group } from '../../../examples/client/group.js'
import type { Action } from '../../../src/groups/authority/actions.js'
import { userOf, type GroupModel } from './group-model.js'

/**
 * In a private group the server cannot judge Proposals: members' clients leave out what its sender, or who commits it, has no right to. The
 * example client does not look, so the campaign does it for it.
 */
export function leaveOutUnlawful(model: GroupModel, { record, device }: Group): void {
  if (model.mode !== 'private') return
  const present = members(record.state)
  const nameOf = (leafIndex: number) => present.find((one) => one.leafIndex === leafIndex)?.client ?? ''
  const unlawful = Object.entries(record.state.unappliedProposals).filter(([, { proposal, senderLeafIndex }]) => {
    if (senderLeafIndex === undefined) return false
    return [nameOf(senderLeafIndex), device.client].some((by) => !lawful(model, by, proposal, nameOf))
  })
  record.voided = [...(record.voided ?? []), ...unlawful.map(([ref]) => ref)]
}

function lawful(model: GroupModel, by: string, proposal: Proposal, nameOf: (leafIndex: number) => string): boolean {
  if (proposal.proposalType === 'reinit') return may(model, 'commit-reinit', by)
  if (proposal.proposalType === 'remove') {
    const target = nameOf(proposal.remove.removed)
    if (userOf(target) === userOf(by)) return may(model, 'commit-remove-own', by)
    return may(model, model.admins.has(userOf(target)) ? 'commit-remove-admin' : 'commit-remove', by)
  }
  if (proposal.proposalType !== 'add') return true
  const { credential } = proposal.add.keyPackage.leafNode
  const target = 'identity' in credential ? Buffer.from(credential.identity).toString() : ''
  if (model.banned.has(userOf(target))) return false
  return may(model, userOf(target) === userOf(by) ? 'commit-add-own' : 'commit-add', by)
}

const may = (model: GroupModel, action: Action, device: string) => model.says(action, device, false).has('yes')
