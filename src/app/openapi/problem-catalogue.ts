import { z } from 'zod'
import { AUTHENTICATION_PROBLEMS } from '../../authentication/authentication.problems.js'
import { X509_PROBLEMS } from '../../authentication/x509/x509.problems.js'
import { POSSESSION_PROBLEMS } from '../../authentication/possession/possession.problems.js'
import { DELIVERY_PROBLEMS } from '../../delivery/delivery.problems.js'
import { FEDERATION_PROBLEMS, PEER_PROBLEMS } from '../../federation/problem-types.js'
import { GROUP_PROBLEMS } from '../../groups/groups.problems.js'
import { STORAGE_PROBLEMS } from '../../groups/usage/storage-full.js'
import { SEALED_PROBLEMS } from '../../groups/sealed/sealed.problems.js'
import { KEY_PACKAGE_PROBLEMS } from '../../key-packages/key-packages.problems.js'
import { ProblemDocument } from '../../platform/http/problem-document.js'
import { PLATFORM_PROBLEMS, type ProblemType, type ProblemTypes } from '../../platform/http/problem-types.js'
import { TOKEN_PROBLEMS } from '../../tokens/tokens.problems.js'

/** Every type of problem there is, in the chapters of docs/errors.md. */
export const PROBLEM_CHAPTERS: readonly (readonly [title: string, types: ProblemTypes])[] = [
  ['Any request', PLATFORM_PROBLEMS],
  ['Accounts, devices and sessions', { ...POSSESSION_PROBLEMS, ...AUTHENTICATION_PROBLEMS, ...X509_PROBLEMS }],
  ['KeyPackages', KEY_PACKAGE_PROBLEMS],
  ['Groups', { ...GROUP_PROBLEMS, ...STORAGE_PROBLEMS }],
  ['The log', DELIVERY_PROBLEMS],
  ['Sealed sender', SEALED_PROBLEMS],
  ['Send tokens', TOKEN_PROBLEMS],
  ['Where another provider is involved', FEDERATION_PROBLEMS],
  ['Between providers', PEER_PROBLEMS],
]

export const PROBLEMS: ReadonlyMap<string, ProblemType> = withoutDoubles(PROBLEM_CHAPTERS.flatMap(([, types]) => Object.entries(types)))

/** @throws if no such type is described, so that none is documented by a misspelt name */
export function problemType(name: string): ProblemType {
  const found = PROBLEMS.get(name)
  if (!found) throw new Error(`The problem ${name} is not in the catalogue (src/app/openapi/problem-catalogue.ts)`)
  return found
}

/** The document of one type as a schema of its own: a constant type and status, and the members that it adds. */
export function problemSchema(name: string): z.ZodObject {
  const { status, when, members = {} } = problemType(name)
  return z
    .object({
      ...ProblemDocument.shape,
      type: z.literal(`urn:microchat:problem:${name}`),
      status: z.literal(status),
      ...members,
    })
    .meta({ id: schemaName(name), description: when })
}

/** `stale-epoch` is StaleEpochProblem. */
export function schemaName(name: string): string {
  return `${name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Problem`
}

function withoutDoubles(entries: readonly (readonly [string, ProblemType])[]): Map<string, ProblemType> {
  const all = new Map<string, ProblemType>()
  for (const [name, type] of entries) {
    if (all.has(name)) throw new Error(`The problem ${name} is described twice`)
    all.set(name, type)
  }
  return all
}
