import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common'
import { expectationOf, type Issue } from './expectations.js'
import { InvalidRequest, NotFound, TooLarge, type Problem } from '../problem.js'

/** A client learns where and what, for a handful of places; echoing thousands would make one request a large answer. */
const MAX_ISSUES = 20
const MAX_PATH_LENGTH = 120

/** Nest's own Standard Schema pipe, with our problems as its complaints. Applies wherever a `schema` is declared. */
export class ValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => new Complaints(issues) })
  }

  override async transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    try {
      return await super.transform(value, metadata)
    } catch (thrown) {
      throw thrown instanceof Complaints ? problemOf(thrown.issues, metadata) : thrown
    }
  }

  /** Quietly dropping `constructor` and the like would hide an unknown field; the parsers refuse `__proto__` already. */
  protected override stripProtoKeys(): void {}
}

/** On their way from the schema to `transform`, which knows what part of the request they are about. */
class Complaints extends Error {
  constructor(readonly issues: readonly Issue[]) {
    super('The request does not have the expected form.')
  }
}

/**
 * An issue may say by its `params` that it is no 400: `{ tooLarge: bytes }` is 413, `{ notFound: true }` is 404.
 * @param about which part of the request was looked at; a part of the address is never too large a body
 */
export function problemOf(issues: readonly Issue[], { type, data }: Pick<ArgumentMetadata, 'type' | 'data'>): Problem {
  const pathOf = (issue: Issue) => pathIn(issue, type === 'body' ? undefined : data)
  const absent = issues.find(({ params }) => typeof params === 'object' && params !== null && 'notFound' in params)
  if (absent) return new NotFound(absent.message)
  const tooLarge = type === 'body' ? issues.find((issue) => typeof limitOf(issue) === 'number') : undefined
  if (tooLarge) return new TooLarge(`${pathOf(tooLarge) || 'The value'} is too large.`, limitOf(tooLarge))
  return new InvalidRequest(
    'The request does not have the expected form.',
    issues.slice(0, MAX_ISSUES).map((issue) => ({ path: pathOf(issue), message: expectationOf(issue).slice(0, 200) })),
  )
}

function limitOf(issue: Issue): number | undefined {
  const params = issue.params
  if (typeof params !== 'object' || params === null || !('tooLarge' in params)) return undefined
  return typeof params.tooLarge === 'number' ? params.tooLarge : undefined
}

/** Member names and indexes with dots between; for a single parameter its name. */
function pathIn(issue: Issue, parameter: string | undefined): string {
  const keys = (issue.path ?? []).map((segment) =>
    String(typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment),
  )
  return [...(parameter === undefined ? [] : [parameter]), ...keys].join('.').slice(0, MAX_PATH_LENGTH)
}
