import { routeRefs } from '../../key-packages/claims.repository.js'
import type { Sql } from '../../platform/postgres/sql.js'
import type { ValidCommit } from '../../protocol/public-group/commit.js'
import { welcomeForm } from '../../protocol/public-group/rules/welcome.js'
import { leaf } from '../../protocol/public-group/state.js'
import { InvalidCommit } from '../groups.problems.js'
import type { EncodedWelcome } from '../input/bundle.js'
import type { AddedDevice, CommitSubmission } from '../repository/submissions.repository.js'
import { deviceOf, type Directory } from './roster.js'

/** A KeyPackageRef as a key of a map. */
export const refKey = (ref: Uint8Array): string => Buffer.from(ref).toString('hex')

/** Who joins by which Welcome (index into `welcomes`), and how long each is kept. */
export interface WelcomeRoutes {
  added: AddedDevice[]
  welcomes: CommitSubmission['welcomes']
}

/**
 * Which Welcome is for whom where no Add can be seen: each KeyPackageRef was handed out by this server, so it knows whose it is.
 * @throws InvalidCommit for a ref that was not, for two of one device, and for what welcomes of this suite cannot be
 */
export async function routeByClaims(sql: Sql, welcomes: readonly EncodedWelcome[], suite: number): Promise<WelcomeRoutes> {
  if (welcomes.some(({ value }) => value.cipherSuite !== suite)) throw new InvalidCommit('welcome-cipher-suite')
  const values = welcomes.map(({ value }) => value)
  const unfit = welcomeForm(values, suite)
  if (unfit !== undefined) throw new InvalidCommit(unfit.rule)
  const refs = values.flatMap((value) => value.refs)
  const routes = await routeRefs(sql, refs)
  const routeOf = (ref: Uint8Array) => {
    const route = routes.get(refKey(ref))
    if (!route) throw new InvalidCommit('welcome-unknown-ref')
    return route
  }
  const added = values.flatMap((value, welcome) => value.refs.map((ref) => ({ deviceId: routeOf(ref).deviceId, welcome })))
  if (new Set(added.map(({ deviceId }) => deviceId)).size !== added.length) throw new InvalidCommit('one-leaf-per-client')
  return {
    added,
    welcomes: welcomes.map(({ bytes, value }) => ({
      bytes,
      expiresAt: new Date(Math.max(0, ...value.refs.map((ref) => routeOf(ref).expiresAt.getTime()))),
    })),
  }
}

/**
 * Which Welcome is for whom, in a public group: by the KeyPackageRefs of the Adds, which were found to be those of the
 * Welcomes. A Welcome is kept until the last of its KeyPackages expires, but not longer than any KeyPackage may live.
 */
export function routeWelcomes(
  welcomes: readonly EncodedWelcome[],
  verdict: ValidCommit,
  directory: Directory,
  latest: Date,
): WelcomeRoutes & { added: (AddedDevice & { userId: bigint })[] } {
  const welcomeOf = new Map(welcomes.flatMap(({ value }, index) => value.refs.map((ref) => [refKey(ref), index])))
  const expiries = welcomes.map(() => new Date(0))
  const added = verdict.added.map((member) => {
    const welcome = welcomeOf.get(refKey(member.keyPackageRef)) ?? null
    if (welcome !== null) expiries[welcome] = later(expiries[welcome], expiryOf(verdict, member.leafIndex, latest))
    const { deviceId, userId } = deviceOf(directory, member)
    return { deviceId, userId, welcome }
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
