import { encode } from 'cborg'
import type { Answering } from './hostile-provider.js'
import { opaque, type HostileClient } from './tls.js'

// Bodies about users, written from docs/federation-profile.md alone.

const ED25519 = 0x0807

/** Answers `directory` for clients of the provider, as one that vouches for each key. */
export function vouchingFor(...clients: readonly HostileClient[]): Answering {
  return (endpoint, _body, url) => {
    const user = new URL(url, 'http://x').searchParams.get('user') ?? ''
    const own = clients.filter(({ client }) => userOf(client) === user)
    if (endpoint !== 'directory' || own.length === 0) return { status: 404 }
    const devices = own.map(({ client, key }) => ({
      client,
      since: 1_700_000_000,
      signature_keys: [{ scheme: ED25519, public_key: new Uint8Array(key.raw), valid_from: 1_700_000_000 }],
    }))
    return { status: 200, body: encode({ identity: user, devices }) }
  }
}

/** `mimi://<domain>/u/<user>` of a client's URI */
export function userOf(client: string): string {
  return client.replace(/\/d\/([^/]+)\/.*$/, '/u/$1')
}

const OPERATIONS = { cancel: 0, request: 1, grant: 2, revoke: 3 } as const

/** `ConsentEntry` for all rooms; a grant without KeyPackages. */
export function consentEntry(operation: keyof typeof OPERATIONS, requester: string, target: string): Buffer {
  const none = opaque('')
  const head = Buffer.concat([Buffer.of(OPERATIONS[operation]), opaque(requester), opaque(target), Buffer.of(0)])
  return Buffer.concat([head, ...(operation === 'grant' ? [none] : []), none])
}

/** `IdentifierRequest` for one handle. */
export const handleQuery = (handle: string): Buffer => Buffer.concat([opaque(Buffer.concat([Buffer.of(1), opaque(handle)])), opaque('')])

/** `AbuseReport` without a reporter. */
export const abuseReport = (abuser: string): Buffer =>
  Buffer.concat([opaque(''), opaque(abuser), Buffer.of(0), opaque(''), opaque(''), opaque('')])

/** `EraseUserRequest`. */
export const eraseUser = (user: string): Buffer => Buffer.concat([opaque(user), opaque(Buffer.alloc(32, 7))])
