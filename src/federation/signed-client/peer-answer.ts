import type { NotAnswered } from '../outbound/outcome.js'

/** What a peer answered, by its signature. */
export interface PeerAnswered {
  readonly kind: 'answered'
  readonly status: number
  readonly body: Uint8Array
  readonly retryAfter: string | undefined
  /** Type of the problem document, with a refusal. */
  readonly problem: string | undefined
}

/** Somebody answered, perhaps only a proxy. */
export interface Unsigned {
  readonly kind: 'unsigned'
  readonly status: number
  readonly retryAfter: string | undefined
  readonly detail: string
}

/** The peer was not even asked. */
export interface NotAsked {
  readonly kind: 'denied' | 'no-directory' | 'profile-unsupported' | 'no-endpoint'
  readonly detail: string
}

export type PeerAnswer = PeerAnswered | Unsigned | NotAsked | NotAnswered
