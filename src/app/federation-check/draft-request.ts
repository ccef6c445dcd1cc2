import { createHash, randomBytes, sign, type KeyObject } from 'node:crypto'

/** A request in the making: what a test of refusals changes before it is signed, or after. */
export interface DraftRequest {
  url: string
  label: string
  headers: Record<string, string>
  /** What is signed, in order; a value of a field is that of the field unless it stands here. */
  components: [identifier: string, value: string][]
  parameters: Record<string, string | number>
  key: KeyObject
  body: Uint8Array
  /** Changes what is sent once it is signed. */
  after?: (sent: SentRequest) => void
}

export interface SentRequest {
  url: string
  headers: Record<string, string>
  body: Uint8Array
}

export interface DraftOrigin {
  /** The provider that sends, and its key. */
  readonly domain: string
  readonly keyId: string
  readonly privateKey: KeyObject
  /** The provider that is asked. */
  readonly target: string
}

const LIFETIME_SECONDS = 60

/** A request with nothing wrong, on a codec of its own: what the product's has wrong is not wrong here, too. */
export function draftRequest({ domain, keyId, privateKey, target }: DraftOrigin, address: string, body: Uint8Array): DraftRequest {
  const url = new URL(address)
  const created = Math.floor(Date.now() / 1000)
  const headers = {
    from: `mimi@${domain}`,
    'mimi-target': target,
    'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:`,
    'content-type': 'application/mimi',
  }
  const components: [string, string][] = [
    ['"@method"', 'POST'],
    ['"@authority"', url.host],
    ['"@path"', url.pathname],
    ['"@query"', url.search || '?'],
    ...Object.keys(headers).map((name): [string, string] => [`"${name}"`, '']),
  ]
  const parameters = {
    created,
    expires: created + LIFETIME_SECONDS,
    nonce: randomBytes(16).toString('base64url'),
    keyid: `${domain}/${keyId}`,
    alg: 'ed25519',
    tag: 'mimi-request',
  }
  return { url: address, label: 'mimi', headers, components, parameters, key: privateKey, body }
}

/** Signs it (RFC 9421 §2.5, §3.1). */
export function signDraft({ url, label, headers, components, parameters, key, body, after }: DraftRequest): SentRequest {
  const written = Object.entries(parameters).map(([name, value]) => `;${name}=${typeof value === 'number' ? value : `"${value}"`}`)
  const input = `(${components.map(([identifier]) => identifier).join(' ')})${written.join('')}`
  const lines = components.map(
    ([identifier, value]) => `${identifier}: ${value || (headers[/^"([^"]*)"/.exec(identifier)?.[1] ?? ''] ?? '')}`,
  )
  const base = [...lines, `"@signature-params": ${input}`].join('\n')
  const signature = sign(null, Buffer.from(base, 'latin1'), key).toString('base64')
  const sent = { url, headers: { ...headers, 'signature-input': `${label}=${input}`, signature: `${label}=:${signature}:` }, body }
  after?.(sent)
  return sent
}
