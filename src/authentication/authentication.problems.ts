import { Conflict, Problem } from '../platform/http/problem.js'

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

export class NameTaken extends Conflict {
  constructor() {
    super('This user or client name is taken.')
  }
}

export class KeyTaken extends Conflict {
  constructor() {
    super('A signature key is registered already. Keys are never shared between devices, nor registered again.')
  }
}

export class KeySucceeded extends Conflict {
  constructor() {
    super('The key to succeed has a successor already, or is retired.')
  }
}

export class LastKey extends Conflict {
  constructor() {
    super('A device keeps at least one valid signature key: add another first, or revoke the device.')
  }
}

export class TooMany extends Conflict {
  constructor(what: 'devices' | 'keys', limit: number) {
    super(`No more than ${limit} active ${what}: remove one first.`)
  }
}
