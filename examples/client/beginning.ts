import { createCommit, createGroup, encodeMlsMessage, makePskIndex, type Proposal } from 'ts-mls'
import { makeResumptionPsk } from 'ts-mls/resumption.js'
import { groupInfo } from './commits.js'
import type { Device } from './device.js'
import { recordOf } from './joining.js'
import { decodeKeyPackageMessage } from './mls/key-package-message.js'
import type { Origin } from './mls/resumption.js'
import { usable } from './identity/group-check.js'
import { clientConfig, suite } from './mls/suites.js'
import { encodeTree } from './mls/tree.js'
import type { GroupRecord } from './store.js'

export interface GroupAfter {
  /** The group that it branches from, or whose ReInit announced it. */
  before: GroupRecord
  origin: Origin
  groupId: Uint8Array
  /** Members of the group before; all of their devices come along. */
  users: readonly string[]
}

/**
 * A group that begins at epoch 1 (RFC 9420 §11.2, §11.3): epoch 0 and the Commit that adds the others stay with this device, and their
 * Welcomes hold the PSK of the group before. What a ReInit announced here are the extensions of the group before.
 */
export async function beginOnServer(device: Device, { before, origin, groupId, users }: GroupAfter): Promise<GroupRecord> {
  const { mode, state: old } = before
  const { impl } = await suite(before.suite)
  const own = await device.newKeyPackage(before.suite)
  const alone = await createGroup(groupId, own.public, own.private, [], impl, clientConfig)
  const founded = { ...alone, groupContext: { ...alone.groupContext, extensions: old.groupContext.extensions } }
  const claims = await Promise.all(users.map((user) => device.claim(user, before.suite)))
  const passed = await Promise.all(claims.map((claim) => usable(device, claim, before)))
  const added = passed.flat().map((one) => decodeKeyPackageMessage(one.key_package))
  const { id, secret: _ } = makeResumptionPsk(old, origin, impl)
  const proposals: Proposal[] = [
    ...added.map((keyPackage): Proposal => ({ proposalType: 'add', add: { keyPackage } })),
    { proposalType: 'psk', psk: { preSharedKeyId: id } },
  ]
  const made = await createCommit(
    { state: founded, cipherSuite: impl, pskIndex: makePskIndex(old, {}) },
    { extraProposals: proposals, ratchetTreeExtension: mode === 'private' },
  )
  if (!made.welcome) throw new Error('Nobody is invited')
  const answer = await device.http.post<{ group_id: Uint8Array; incarnation: number; seq: number }>('/v1/groups', {
    mode,
    group_info: await groupInfo(made.newState, impl),
    ratchet_tree: encodeTree(made.newState.ratchetTree),
    welcomes: [encodeMlsMessage({ version: 'mls10', wireformat: 'mls_welcome', welcome: made.welcome })],
    [origin === 'branch' ? 'branch_of' : 'successor_of']: before.groupId,
  })
  const { incarnation, seq } = answer
  const former = { certified: before.certified }
  return recordOf(device, { groupId: answer.group_id, mode, suite: before.suite, state: made.newState, incarnation, seq, former })
}
