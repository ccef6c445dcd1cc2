import type { DirectoryToKeep } from './kept-directories.repository.js'

interface SignedContent {
  readonly domain: string
  readonly issued_at: number
  readonly expires_at: number
  readonly keys: readonly { readonly kid: string; readonly x: string }[]
}

/** @param signed the JWS @param content of its payload */
export function directoryToKeep(signed: object, { domain, keys, issued_at, expires_at }: SignedContent): DirectoryToKeep {
  return { domain, signed, keys, issuedAt: new Date(issued_at * 1000), expiresAt: new Date(expires_at * 1000) }
}
