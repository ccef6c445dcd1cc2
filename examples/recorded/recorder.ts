import { operationFinder, type BytesByType, type Exchange, type Paths } from './exchanges.js'

/** What each request may be turned into on its way; gets and gives the JSON body. */
export type Replacement = (operationId: string, body: unknown) => unknown

type Fetch = typeof globalThis.fetch

/**
 * Runs `work` while every `fetch` is watched, and keeps the first success of each operation. Bodies that are not JSON are kept as bytes.
 * Nothing else may fetch in this process while it runs.
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
    const request = sent === undefined ? undefined : replace(operation.id, sent)
    const response = await real(input, request === undefined ? init : { ...init, body: JSON.stringify(request) })
    const { status } = response
    if (response.ok) {
      const answer = isJson(response.headers.get('content-type')) ? await response.clone().json() : undefined
      const query = Object.fromEntries(url.searchParams)
      const json = { status, path: operation.path, query, headers: proofsIn(init), request, response: answer }
      const requestBytes = sent === undefined ? await bytesOf(new Response(init?.body ?? null), init?.headers) : undefined
      const responseBytes = answer === undefined ? await bytesOf(response.clone(), response.headers) : undefined
      exchanges.set(operation.id, {
        ...(withoutTokens(json) as Exchange),
        ...(requestBytes && { requestBytes }),
        ...(responseBytes && { responseBytes }),
      })
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

/** Undefined if there is no body. */
async function bytesOf(body: Response, headers: ConstructorParameters<typeof Headers>[0]): Promise<BytesByType | undefined> {
  const bytes = Buffer.from(await body.arrayBuffer())
  const type = new Headers(headers).get('content-type')
  return bytes.length === 0 || type === null ? undefined : { [type]: { base64url: bytes.toString('base64url') } }
}

const PROOFS = ['authorization', 'content-digest', 'signature-input', 'signature']

/** A step-up proof; or the header fields of a sealed post or its relaying, whose Authorization is a send token and not an access token. */
function proofsIn(init: RequestInit | undefined): Record<string, string> | undefined {
  const headers = new Headers(init?.headers)
  const names = headers.get('authorization')?.startsWith('PrivateToken') ? PROOFS : ['step-up']
  const found = names.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) ?? '']] : []))
  return found.length === 0 ? undefined : Object.fromEntries(found)
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
