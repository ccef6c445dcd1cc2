import { operationFinder, type Exchange, type Paths } from './exchanges.js'

/** What each request may be turned into on its way; gets and gives the JSON body. */
export type Replacement = (operationId: string, body: unknown) => unknown

type Fetch = typeof globalThis.fetch

/**
 * Runs `work` while every `fetch` is watched, and keeps the first success of each operation. Bodies that are not JSON pass by.
 * Nothing else may fetch in this process meanwhile.
 * @param replace tests put the examples of openapi.yaml in place of the first body of each operation
 */
export async function recording(
  paths: Paths,
  work: () => Promise<void>,
  replace: Replacement = (_id, body) => body,
): Promise<Map<string, Exchange>> {
  const exchanges = new Map<string, Exchange>()
  const find = operationFinder(paths)
  const real = globalThis.fetch
  const watched: Fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const operation = find(init?.method ?? 'GET', url.pathname)
    if (!operation || exchanges.has(operation.id)) return real(input, init)
    const sent = isJson(new Headers(init?.headers).get('content-type')) ? await bodyOf(init) : undefined
    if (init?.body && sent === undefined) return real(input, init)
    const request = sent === undefined ? undefined : replace(operation.id, sent)
    const response = await real(input, request === undefined ? init : { ...init, body: JSON.stringify(request) })
    const { status } = response
    if (response.ok) {
      const answer = isJson(response.headers.get('content-type')) ? await response.clone().json() : undefined
      const exchange = { status, path: operation.path, query: Object.fromEntries(url.searchParams), request, response: answer }
      exchanges.set(operation.id, withoutTokens(exchange) as Exchange)
    }
    return response
  }
  globalThis.fetch = watched
  try {
    await work()
  } finally {
    globalThis.fetch = real
  }
  return exchanges
}

function isJson(type: string | null): boolean {
  return /^application\/([\w-]+\+)?json|issuer-directory/.test(type ?? '')
}

async function bodyOf(init: RequestInit | undefined): Promise<unknown> {
  return JSON.parse(await new Response(init?.body ?? 'null').text())
}

/** The tokens of a server that is gone are no secrets, but nobody should have to look twice. */
const PLACEHOLDERS: Readonly<Record<string, string>> = { access_token: 'eyJhbGciOiJFZERTQSJ9.e30.AAAA', refresh_token: 'A'.repeat(43) }

function withoutTokens(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTokens)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, PLACEHOLDERS[key] ?? withoutTokens(member)]))
}
