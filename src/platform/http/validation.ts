import { StandardSchemaValidationPipe } from '@nestjs/common'
import { InvalidRequest, NotFound, TooLarge, type Problem } from './problem.js'

type Issue = { message: string; path?: readonly unknown[] | undefined; params?: unknown }

/** A client learns where and what, for a handful of places; echoing thousands would make one request a large answer. */
const MAX_ISSUES = 20
const MAX_PATH_LENGTH = 120

/** Nest's own Standard Schema pipe, with our problems as its complaints. Applies wherever a `schema` is declared. */
export class ValidationPipe extends StandardSchemaValidationPipe {
  constructor() {
    super({ exceptionFactory: (issues) => problemOf(issues) })
  }

  /** Quietly dropping `constructor` and the like would hide an unknown field; the parsers refuse `__proto__` already. */
  protected override stripProtoKeys(): void {}
}

/** An issue may say by its `params` that it is no 400: `{ tooLarge: bytes }` is 413, `{ notFound: true }` is 404. */
export function problemOf(issues: readonly Issue[]): Problem {
  const absent = issues.find(({ params }) => typeof params === 'object' && params !== null && 'notFound' in params)
  if (absent) return new NotFound(absent.message)
  const tooLarge = issues.find((issue) => typeof limitOf(issue) === 'number')
  if (tooLarge) return new TooLarge(`${pathOf(tooLarge) || 'The value'} is too large.`, limitOf(tooLarge))
  return new InvalidRequest(
    'The request does not have the expected form.',
    issues.slice(0, MAX_ISSUES).map((issue) => ({ path: pathOf(issue), message: issue.message.slice(0, 200) })),
  )
}

function limitOf(issue: Issue): number | undefined {
  const params = issue.params
  if (typeof params !== 'object' || params === null || !('tooLarge' in params)) return undefined
  return typeof params.tooLarge === 'number' ? params.tooLarge : undefined
}

function pathOf(issue: Issue): string {
  const keys = (issue.path ?? []).map((segment) =>
    String(typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment),
  )
  return keys.join('.').slice(0, MAX_PATH_LENGTH)
}
