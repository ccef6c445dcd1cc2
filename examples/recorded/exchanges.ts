/** A body that is not JSON, as text. */
export interface Bytes {
  readonly base64url: string
  /** Of a CBOR body: the same in diagnostic notation (RFC 8949 §8). */
  readonly diagnostic?: string
}

/** Bodies by their content type. */
export type BytesByType = Readonly<Record<string, Bytes>>

/** One request that succeeded, and its answer, both in JSON; and in other types, where they have any. */
export interface Exchange {
  readonly status: number
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** Those that prove something and are not the same for every operation. */
  readonly headers?: Readonly<Record<string, string>>
  readonly request?: unknown
  readonly response?: unknown
  readonly requestBytes?: BytesByType
  readonly responseBytes?: BytesByType
}

/** An exchange, and what of its request differs in each run: JSON pointers into the body, and names of parameters. */
export interface Example extends Exchange {
  readonly fresh: readonly string[]
}

/** The paths of openapi.yaml, as far as they are needed to tell which operation a request is of. */
export type Paths = Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>

/** Templates without parameters first: /v1/key-packages/claims is no /v1/key-packages/{ref}. */
export function operationFinder(paths: Paths) {
  const templates = Object.keys(paths).sort((a, b) => a.split('{').length - b.split('{').length)
  return (method: string, pathname: string) => {
    for (const template of templates) {
      const operation = paths[template]?.[method.toLowerCase()]
      const path = operation && parametersOf(template, pathname)
      if (path) return { id: operation.operationId, path }
    }
    return undefined
  }
}

function parametersOf(template: string, pathname: string): Record<string, string> | undefined {
  const [names, values] = [template.split('/'), pathname.split('/')]
  if (names.length !== values.length) return undefined
  const found: Record<string, string> = {}
  for (const [index, name] of names.entries()) {
    const value = decodeURIComponent(values[index] ?? '')
    if (name.startsWith('{')) found[name.slice(1, -1)] = value
    else if (name !== value) return undefined
  }
  return found
}

/** Pointers to the values in which two bodies of the same form differ. */
export function differences(a: unknown, b: unknown, at = ''): string[] {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? [] : [at]
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].flatMap((key) => differences(member(a, key), member(b, key), `${at}/${key}`))
}

/** `example` with what stands at the pointers taken from `actual`. */
export function freshened(example: unknown, actual: unknown, pointers: ReadonlySet<string>, at = ''): unknown {
  if (pointers.has(at)) return actual
  if (typeof example !== 'object' || example === null) return example
  const entries = Object.entries(example).map(
    ([key, value]) => [key, freshened(value, member(actual, key), pointers, `${at}/${key}`)] as const,
  )
  return Array.isArray(example) ? entries.map(([, value]) => value) : Object.fromEntries(entries)
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}
