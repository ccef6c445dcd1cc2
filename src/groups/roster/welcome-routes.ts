import type { ValidCommit } from '../../protocol/public-group/commit.js'
import { leaf } from '../../protocol/public-group/state.js'
import type { AddedDevice, CommitSubmission } from '../repository/submissions.repository.js'
import type { EncodedWelcome } from '../input/bundle.js'
import { deviceOf, type Directory } from './roster.js'

export const refKey = (ref: Uint8Array): string => Buffer.from(ref).toString('hex')

/**
 * Which Welcome is for whom, in a public group: by the KeyPackageRefs of the Adds, which were found to be those of the
 * Welcomes. A Welcome is kept until the last of its KeyPackages expires, but not longer than any KeyPackage may live.
 */
export function routeWelcomes(
  welcomes: readonly EncodedWelcome[],
  verdict: ValidCommit,
  directory: Directory,
  latest: Date,
): { added: AddedDevice[]; welcomes: CommitSubmission['welcomes'] } {
  const welcomeOf = new Map(welcomes.flatMap(({ value }, index) => value.refs.map((ref) => [refKey(ref), index])))
  const expiries = welcomes.map(() => new Date(0))
  const added = verdict.added.map((member) => {
    const welcome = welcomeOf.get(refKey(member.keyPackageRef)) ?? null
    if (welcome !== null) expiries[welcome] = later(expiries[welcome], expiryOf(verdict, member.leafIndex, latest))
    return { deviceId: deviceOf(directory, member).deviceId, welcome }
  })
  return { added, welcomes: welcomes.map(({ bytes }, index) => ({ bytes, expiresAt: expiries[index] ?? latest })) }
}

function expiryOf(verdict: ValidCommit, leafIndex: number, latest: Date): Date {
  const source = leaf(verdict.next, leafIndex)?.source
  if (source?.kind !== 'key-package') return latest
  const notAfter = source.notAfter * 1000n
  return notAfter < BigInt(latest.getTime()) ? new Date(Number(notAfter)) : latest
}

function later(a: Date | undefined, b: Date): Date {
  return a !== undefined && a > b ? a : b
}
