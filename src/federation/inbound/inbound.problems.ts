import { Problem } from '../../platform/http/problem.js'
import type { SignatureFault } from '../../protocol/http-signature/profile.js'
import { PROFILES } from '../identity/endpoints.js'

export type SignatureProblem =
  | SignatureFault
  | 'target-mismatch'
  | 'signature-stale'
  | 'content-digest-missing'
  | 'content-digest-mismatch'
  | 'key-unknown'
  | 'signature-invalid'
  | 'nonce-replayed'

/** Why a peer's request is not taken, as far as its signature goes (docs/federation-profile.md). */
export class SignatureRefused extends Problem {
  constructor(type: SignatureProblem, detail: string) {
    super(401, type, detail)
  }
}

/** A request that has been captured, or sent twice. */
export class NonceReplayed extends SignatureRefused {
  constructor() {
    super('nonce-replayed', 'The nonce was used before.')
  }
}

/** The settings or the operator of this server deny the peer. */
export class PeerDenied extends Problem {
  constructor() {
    super(403, 'peer-denied', 'This server does not federate with that provider.')
  }
}

/** Sent when the signature was verified: then the refusal reaches the provider itself. */
export class ProfileUnsupported extends Problem {
  constructor() {
    super(403, 'profile-unsupported', `The provider's directory names none of the profiles spoken here: ${PROFILES.join(', ')}.`)
  }
}

/** A provider speaks for its own users, clients and rooms only. */
export class ForeignDomain extends Problem {
  constructor(what: string) {
    super(403, 'foreign-domain', `The ${what} is not of the provider that sent this.`)
  }
}

/** A body for a protocol other than MLS 1.0. */
export class UnknownProtocolRefused extends Problem {
  constructor() {
    super(422, 'protocol-unsupported', 'The only protocol here is MLS 1.0.')
  }
}

/** @param reason what is wrong with it, without a byte of its content */
export class MalformedBody extends Problem {
  constructor(reason: string) {
    super(422, 'undecodable', `The body is malformed: ${reason}.`)
  }
}

/** A peer speaks for a device that its own directory does not list, or lists as revoked. */
export class ClientUnknown extends Problem {
  constructor() {
    super(403, 'client-unknown', 'The provider does not list this device.')
  }
}

/** Also for rooms that exist here, where the asking provider must not know of them. */
export class NotTheHub extends Problem {
  constructor() {
    super(404, 'not-the-hub', 'This server is not the hub of that room.')
  }
}

/** A batch that cannot be part of the log that it names. @param why completes the sentence "Invalid batch: …" */
export class BatchRefused extends Problem {
  constructor(why: string) {
    super(422, 'batch-refused', `Invalid batch: ${why}.`)
  }
}

/** A hub's changes of membership of our devices without the proof that they need. @param why completes the sentence "Invalid roster: …" */
export class RosterRefused extends Problem {
  constructor(why: string) {
    super(422, 'roster-refused', `Invalid roster: ${why}.`)
  }
}

/** The hub of a group id is fixed at first sight: no provider can take over another's group, or shadow a local one. */
export class HomeElsewhere extends Problem {
  constructor() {
    super(409, 'home-elsewhere', 'Another provider is the hub of this group.')
  }
}
