import type { KeyObject } from 'node:crypto'
import { ed25519Key } from '../../protocol/signature-key.js'
import type { PeerKeyRow, PeerRow } from './peers.repository.js'

/** Endpoints, profiles and keys of another provider, as its signed directory says. */
export interface PeerDirectory {
  readonly domain: string
  readonly endpoints: Readonly<Record<string, string>>
  readonly profiles: readonly string[]
  readonly features: readonly string[]
  /** X.509 authorities of its domain, DER. */
  readonly authorities: readonly Uint8Array[]
  readonly keys: ReadonlyMap<string, { readonly key: KeyObject; readonly notBefore: Date; readonly notAfter: Date | null }>
  readonly expiresAt: Date
}

/** What is stored of a provider. */
export interface Copy {
  readonly fetchedAt: Date | null
  /** Undefined if there is none; one that has expired is there, and does not count. */
  readonly directory: PeerDirectory | undefined
}

/** @param row undefined before the first contact */
export function copyOf(row: PeerRow | undefined, keys: readonly PeerKeyRow[]): Copy {
  const fetchedAt = row?.fetchedAt ?? null
  if (!row?.endpoints || keys.length === 0) return { fetchedAt, directory: undefined }
  const directory = {
    domain: row.domain,
    endpoints: row.endpoints,
    profiles: row.profiles ?? [],
    features: row.features ?? [],
    authorities: row.authorities.map((one) => new Uint8Array(one)),
    keys: new Map(keys.map(({ keyId, publicKey, notBefore, notAfter }) => [keyId, { key: ed25519Key(publicKey), notBefore, notAfter }])),
    expiresAt: row.expiresAt ?? new Date(0),
  }
  return { fetchedAt, directory }
}

/** From when on nothing of a directory counts: it has an end, and so may all of its keys. */
export function endOf(expiresAt: Date | null, keys: readonly Pick<PeerKeyRow, 'notAfter'>[]): Date {
  const lastKey = keys.some(({ notAfter }) => notAfter === null)
    ? Infinity
    : Math.max(0, ...keys.map(({ notAfter }) => notAfter?.getTime() ?? 0))
  return new Date(Math.min(expiresAt?.getTime() ?? 0, lastKey))
}
