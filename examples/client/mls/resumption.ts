import { makePskIndex, type CiphersuiteImpl, type ClientState, type GroupContext, type PreSharedKeyID } from 'ts-mls'
import { encodeExtension } from 'ts-mls/extension.js'
import { accumulatePskSecret } from 'ts-mls/pskIndex.js'
import type { RatchetTree } from 'ts-mls/ratchetTree.js'
import { toHex } from '../wire.js'
import { clientOfCredential } from '../x509/chain.js'

/** How a group comes from the one before it (RFC 9420 §11.2, §11.3). */
export type Origin = 'reinit' | 'branch'

/** The state of a group that this device is in, by its id. */
export type StateOf = (groupId: Uint8Array) => ClientState | undefined

/** What the PSKs of a Welcome come to, and the group before, if there is one. */
export interface Resumption {
  secret: Uint8Array
  before: ClientState | undefined
  origin: Origin | undefined
}

/** @throws if the Welcome has a PSK other than one of a group before it that this device is in, at that epoch */
export async function resumptionOf(psks: readonly PreSharedKeyID[], stateOf: StateOf, impl: CiphersuiteImpl): Promise<Resumption> {
  const none = new Uint8Array(impl.kdf.size)
  const [first, ...others] = psks
  if (!first) return { secret: none, before: undefined, origin: undefined }
  if (others.length > 0 || first.psktype !== 'resumption' || first.usage === 'application') throw new Error('This client has no such PSK')
  const before = stateOf(first.pskGroupId)
  if (before?.groupContext.epoch !== first.pskEpoch) throw new Error('This client is not in the epoch of the group before')
  const [secret] = await accumulatePskSecret([...psks], makePskIndex(before, {}), impl, none)
  return { secret, before, origin: first.usage }
}

/** RFC 9420 §11.2, §11.3: what a joiner checks of a group that comes from another. @throws if it does not */
export function checkOrigin({ before, origin }: Resumption, context: GroupContext, tree: RatchetTree): void {
  if (!before || !origin) return
  if (context.epoch !== 1n) throw new Error('A group after another begins at epoch 1')
  const active = before.groupActiveState
  if (origin === 'reinit' && active.kind !== 'suspendedPendingReinit') throw new Error('The group before has no ReInit')
  const wanted =
    active.kind === 'suspendedPendingReinit' && origin === 'reinit' ? active.reinit : { ...before.groupContext, groupId: context.groupId }
  const shape = ({ groupId, version, cipherSuite, extensions }: Pick<GroupContext, 'groupId' | 'version' | 'cipherSuite' | 'extensions'>) =>
    [toHex(groupId), version, cipherSuite, ...extensions.map((one) => toHex(encodeExtension(one)))].join()
  if (shape(wanted) !== shape(context)) throw new Error('The group is another one than was to come')
  const [old, all] = [names(before.ratchetTree), names(tree)]
  const strangers = [...all].some((name) => !old.has(name))
  if (strangers || (origin === 'reinit' && all.size !== old.size)) throw new Error('Its members are not those of the group before')
}

function names(tree: RatchetTree): Set<string> {
  return new Set(tree.flatMap((node) => (node?.nodeType === 'leaf' ? [clientOfCredential(node.leaf.credential)] : [])))
}
