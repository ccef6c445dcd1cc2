import type { ClientState } from 'ts-mls'
import type { SeenCommit } from '../entries.js'
import { clientOf, leavesOf } from '../mls/leaves.js'
import type { GroupRecord } from '../store.js'
import { spelling } from './keys.js'
import type { Held, VerifiedList } from './list.js'
import { broken } from './refused.js'
import { userOfClient } from './structures.js'

/** Rule of docs/identity.md §4, External joins. */
const RULE = 'external-join'

/** A leaf of a tree: whose it says it is, and its signature key. */
interface PlainLeaf {
  client: string
  key: Uint8Array
}

/** The tree before a device came in by its own Commit, as far as it decides whether that was right. */
export interface OutsideJoin {
  /** Leaves that the joiner's user had. */
  present: PlainLeaf[]
  /** Leaves that the Commit removed. */
  replaced: PlainLeaf[]
  /** Members had put the device out before. */
  wasPutOut: boolean
}

export function outsideJoin(before: ClientState, { removed }: SeenCommit, client: string, putOut: readonly string[]): OutsideJoin {
  const leaves = leavesOf(before).map(({ leaf, leafIndex }) => ({ leafIndex, client: clientOf(leaf), key: leaf.signaturePublicKey }))
  const plain = ({ client: whose, key }: PlainLeaf): PlainLeaf => ({ client: whose, key })
  return {
    present: leaves.filter((one) => userOfClient(one.client) === userOfClient(client)).map(plain),
    replaced: leaves.filter(({ leafIndex }) => removed.includes(leafIndex)).map(plain),
    wasPutOut: putOut.includes(client),
  }
}

/**
 * A joiner replaces its own leaf, or hangs from a device of the same user that had a leaf, or from words or a passkey of the identity key while any
 * device of this identity had one. Certificates that have ended since count as well: members who read the Commit later come to the same end. @param held the joiner's certificate @throws IdentityRefused
 */
export function requireVouched(
  list: VerifiedList,
  held: Held,
  { present, replaced, wasPutOut }: OutsideJoin,
  { joiners, scheme }: { joiners: GroupRecord['joiners']; scheme: number },
): void {
  const has = (one: Held, { client, key }: PlainLeaf): boolean => {
    const wanted = spelling({ scheme, publicKey: key })
    return one.kind === 'device' && one.subject === client && wanted !== undefined && one.keys.some((its) => spelling(its) === wanted)
  }
  const line = [held, ...issuersOf(list, held)]
  const own = line.filter(({ subject }) => subject === held.subject)
  if (!replaced.every((leaf) => own.some((one) => has(one, leaf)))) throw broken(list.user, RULE)
  if (replaced.length > 0) return
  if (wasPutOut) throw broken(list.user, RULE)
  if (joiners === 'others') return
  const issuers = new Set(line.map(({ subject }) => subject))
  const isRecovered = hangsFromRecovery(line)
  const vouches = (leaf: PlainLeaf): boolean =>
    leaf.client !== held.subject &&
    (isRecovered || issuers.has(leaf.client)) &&
    [...list.certificates.values()].some((one) => has(one, leaf))
  if (!present.some(vouches)) throw broken(list.user, RULE)
}

/**
 * By a recovery key or a passkey that the identity key has certified, without another device in between: who has that device may have put words of
 * its own into the list. @param line the joiner's certificate, and those that it hangs from
 */
function hangsFromRecovery(line: readonly Held[]): boolean {
  const [joiner] = line
  const byDevice = line.findIndex(({ kind, subject }) => kind === 'device' && subject !== joiner?.subject)
  return line.slice(0, byDevice === -1 ? undefined : byDevice).some(({ kind, signer }) => kind !== 'device' && signer === 1)
}

/** The certificates that one hangs from (`signer`), the nearest first. */
function issuersOf({ certificates }: VerifiedList, { signer }: Held): Held[] {
  const issuers: Held[] = []
  for (let at = certificates.get(signer); at; at = certificates.get(at.signer)) issuers.push(at)
  return issuers
}

/**
 * Devices that members of other users have put out by this Commit, and those before them. Not a device that asked to leave: the one that proposed
 * it for itself or for its own user, or asked the server.
 */
export function putOutAfter(
  { putOut, wishing }: Pick<GroupRecord, 'putOut' | 'wishing'>,
  before: ClientState,
  after: ClientState,
  { committer }: SeenCommit,
): string[] {
  const present = new Set(leavesOf(after).map(({ leaf }) => clientOf(leaf)))
  const userAt = (index: number | undefined): string | undefined => {
    const found = leavesOf(before).find(({ leafIndex }) => leafIndex === index)
    return found && userOfClient(clientOf(found.leaf))
  }
  const isPutOut = (client: string, leafIndex: number): boolean => {
    const waiting = Object.values(before.unappliedProposals).filter(
      ({ proposal }) => proposal.proposalType === 'remove' && proposal.remove.removed === leafIndex,
    )
    const proposers = waiting.length > 0 ? waiting.map(({ senderLeafIndex }) => senderLeafIndex) : [committer]
    // Without a leaf it is the server, on the device's wish.
    return proposers.every((index) => index !== undefined && userAt(index) !== userOfClient(client)) && !wishing.includes(client)
  }
  const gone = leavesOf(before).filter(({ leaf }) => !present.has(clientOf(leaf)))
  const news = gone.map(({ leaf, leafIndex }) => [clientOf(leaf), leafIndex] as const).filter((one) => isPutOut(...one))
  return [...new Set([...putOut, ...news.map(([client]) => client)])].filter((client) => !present.has(client))
}
