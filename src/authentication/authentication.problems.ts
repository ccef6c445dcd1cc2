import { z } from 'zod'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import { DPOP_CHALLENGE, Problem } from '../platform/http/problem.js'

/** Identifiers of other providers cannot be registered here. */
export class WrongDomain extends Problem {
  constructor(domain: string) {
    super(400, 'wrong-domain', `Identifiers must be of the domain ${domain}: mimi://${domain}/…`, { domain })
  }
}

/** The access token was good once: the client refreshes and tries again. */
export class TokenExpired extends Problem {
  constructor() {
    super(401, 'token-expired', 'The access token has expired. Refresh the session.')
  }
}

/** Nothing this device holds is taken any more; refreshing does not help. */
export class DeviceRevoked extends Problem {
  constructor() {
    super(401, 'device-revoked', 'This device was revoked, or its account disabled.')
  }
}

/** The session needs a key: there is no proof, or one that a token of this session is bound to was presented without. */
export class DpopRequired extends Problem {
  override challenge = DPOP_CHALLENGE
  constructor(detail = 'Sessions are bound to a key here: send a proof of it in the field DPoP (RFC 9449).') {
    super(401, 'dpop-required', detail)
  }
}

/** `replayed`: it was used before. `key`: it is not of the key that the token is bound to. */
const DpopFault = z.enum(['malformed', 'signature', 'request', 'token', 'key', 'replayed']).meta({
  description:
    'malformed: no proof of the form of RFC 9449 §4.2; signature: it does not verify under the public key in it; request: it is for another method or address; token: for another access token; key: of another key than the session’s; replayed: it was used before',
})

export class DpopRefused extends Problem {
  override challenge = `${DPOP_CHALLENGE}, error="invalid_dpop_proof"`
  constructor(reason: z.infer<typeof DpopFault>) {
    super(401, 'dpop-refused', `The proof in the field DPoP is not good for this request: ${reason}.`, { reason })
  }
}

/** The client's clock is off: it learns what time it is. */
export class DpopStale extends Problem {
  override challenge = `${DPOP_CHALLENGE}, error="invalid_dpop_proof"`
  constructor() {
    super(401, 'dpop-stale', 'The proof in the field DPoP is too old, or from the future.', { server_time: Math.floor(Date.now() / 1000) })
  }
}

/** One answer for an unknown client, a foreign key, a bad signature and a spent or expired nonce: nothing to enumerate users by. */
export class LoginRefused extends Problem {
  constructor() {
    super(401, 'login-refused', 'The challenge is not valid any more, or the proof does not fit a registered key of this client.')
  }
}

export class RefreshRefused extends Problem {
  constructor() {
    super(401, 'refresh-refused', 'The refresh token is not valid any more. Log in again.')
  }
}

/** 403 and not 401: the caller's own session, if it has one, is fine. */
export class ProofRefused extends Problem {
  constructor() {
    super(403, 'proof-refused', 'The challenge is not valid any more, or a signature key comes without a valid proof of possession.')
  }
}

/** One answer for a missing, wrong, spent or expired code, and for a name that the code is not for. */
export class RegistrationRefused extends Problem {
  constructor() {
    super(403, 'registration-refused', 'This server needs a valid code to register this account.')
  }
}

export class NameTaken extends Problem {
  constructor() {
    super(409, 'name-taken', 'This user or client name is taken.')
  }
}

export class KeyTaken extends Problem {
  constructor() {
    super(409, 'key-taken', 'A signature key is registered already. Keys are never shared between devices, nor registered again.')
  }
}

export class KeySucceeded extends Problem {
  constructor() {
    super(409, 'key-succeeded', 'The key to succeed has a successor already, or is retired.')
  }
}

export class LastKey extends Problem {
  constructor() {
    super(409, 'last-key', 'A device keeps at least one valid signature key: add another first, or revoke the device.')
  }
}

/** The caller is to know what it does: nobody can log in to the account any more. */
export class LastDevice extends Problem {
  constructor() {
    super(
      409,
      'last-device',
      'This is the last active device of the account. Without one nobody gets in any more: repeat with ?confirm=last-device.',
    )
  }
}

export class TooMany extends Problem {
  constructor(what: 'devices' | 'keys', limit: number) {
    super(409, `too-many-${what}`, `No more than ${limit} active ${what}: remove one first.`, { limit })
  }
}

export const AUTHENTICATION_PROBLEMS: ProblemTypes = {
  'wrong-domain': {
    status: 400,
    when: 'A user or client URI is of another provider than this one.',
    client: 'Use identifiers of `domain`.',
    retry: 'no',
    members: { domain: z.string() },
  },
  'token-expired': {
    status: 401,
    when: 'The access token was good and has run out.',
    client: 'Refresh the session, then send the request again.',
    retry: 'redo',
  },
  'device-revoked': {
    status: 401,
    when: 'The device was revoked, or its account disabled.',
    client: 'Stop: nothing that this device holds is valid any more, and refreshing does not help.',
    retry: 'no',
  },
  'dpop-required': {
    status: 401,
    when: 'The session is, or has to be, bound to a key, and there is no proof of it in the field `DPoP`.',
    client:
      'Send a proof of possession with each login, registration, refresh and request (RFC 9449), and the access token as `Authorization: DPoP …`.',
    retry: 'redo',
  },
  'dpop-refused': {
    status: 401,
    when: 'The proof of possession is not one for this request, by `reason`.',
    client: 'Make a new proof for each request, also for one that is sent again. With the reason `key`, log in again.',
    retry: 'redo',
    members: { reason: DpopFault },
  },
  'dpop-stale': {
    status: 401,
    when: 'The time in the proof of possession is more than a minute ago or 15 seconds ahead.',
    client: 'Correct the clock of proofs by `server_time`, and send the request again with a new one.',
    retry: 'redo',
    members: { server_time: z.int().meta({ description: 'The time at the server, Unix seconds' }) },
  },
  'login-refused': {
    status: 401,
    when: 'The client is unknown, the nonce is spent or expired, or the proof does not fit a registered key. Which of them is not said.',
    client:
      'Get a new challenge and sign it with a registered key: the label, the domain, the bytes of the nonce and `expires_at` are as the tour’s vector shows. If it is refused again, ask whether the device was revoked: its logins are refused in the same way.',
    retry: 'redo',
  },
  'refresh-refused': {
    status: 401,
    when: 'The refresh token is not valid any more: it was used before, its session or all of the device’s were ended, or the device was revoked.',
    client: 'Log in with a new challenge.',
    retry: 'redo',
  },
  'proof-refused': {
    status: 403,
    when: 'The nonce is spent or expired, or a new key comes without a valid proof of possession.',
    client: 'Get a new challenge and prove each key over it, in the form of the tour’s vector.',
    retry: 'redo',
  },
  'registration-refused': {
    status: 403,
    when: 'Registration needs a code here; it is missing, wrong, spent, expired or for another name.',
    client: 'Ask the operator for an invite code.',
    retry: 'no',
  },
  'name-taken': { status: 409, when: 'The user or client name exists, or existed.', client: 'Choose another name.', retry: 'no' },
  'key-taken': {
    status: 409,
    when: 'A signature key is, or was, registered. Keys are never shared between devices.',
    client: 'Make a new key.',
    retry: 'no',
  },
  'key-succeeded': {
    status: 409,
    when: 'The key to succeed has a successor already, or is retired.',
    client: 'Read the devices again.',
    retry: 'no',
  },
  'last-key': {
    status: 409,
    when: 'A device keeps at least one valid signature key.',
    client: 'Add another key first, or revoke the device.',
    retry: 'redo',
  },
  'last-device': {
    status: 409,
    when: 'The device is the last active one of its account, into which nobody gets any more without one.',
    client: 'Warn the user; send the request again with `confirm=last-device` if it is meant.',
    retry: 'redo',
  },
  'too-many-devices': {
    status: 409,
    when: 'The account has as many devices as this server allows.',
    client: 'Revoke a device first.',
    retry: 'redo',
    members: { limit: z.int() },
  },
  'too-many-keys': {
    status: 409,
    when: 'The device has as many valid keys as this server allows.',
    client: 'Retire a key first.',
    retry: 'redo',
    members: { limit: z.int() },
  },
}
