import { z } from 'zod'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import { Problem } from '../platform/http/problem.js'
import { IDENTITY_RULES, type IdentityRule } from '../protocol/identity/rules.js'
import { PENDING_CHANGE_PROBLEMS } from './device-list/pending/pending-changes.problems.js'
import { STEP_UP_PURPOSES, type StepUpPurpose } from '../protocol/identity/step-up.js'

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

/** One answer for no proof, and for one of another purpose, subject, client, server or key, or over a nonce that is spent or expired. */
export class StepUpRequired extends Problem {
  constructor(purpose: StepUpPurpose) {
    super(403, 'step-up-required', 'This needs a fresh proof by a key of this device, for exactly this, in the field Step-Up.', { purpose })
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

/** Only signed entries change devices and keys of an account that has a device list. */
export class DeviceListRequired extends Problem {
  constructor() {
    super(409, 'device-list-required', 'This account has a device list: send the entries that make this change, signed, with their head.')
  }
}

/** Another device was first. */
export class DeviceListChanged extends Problem {
  /** @param number of the last entry; 0: there is no list */
  constructor(number: number) {
    super(409, 'device-list-changed', 'The entries do not follow the last one of the device list. Read it again, and sign again.', {
      number,
    })
  }
}

export class InvalidDeviceList extends Problem {
  constructor(rule: IdentityRule) {
    super(422, 'invalid-device-list', IDENTITY_RULES[rule], { rule })
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
  'step-up-required': {
    status: 403,
    when: 'The operation needs a fresh proof by a key besides the session. `Step-Up` is missing, or its proof is for another purpose, subject, client or server, by a key that does not count (any more), or over a nonce that is spent or expired. Which of them is not said.',
    client: 'Get a challenge for `purpose`, sign it as docs/identity.md §8 says, and send the request again with `Step-Up`.',
    retry: 'redo',
    members: { purpose: z.enum(STEP_UP_PURPOSES) },
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
  'device-list-required': {
    status: 409,
    when: 'The account has a device list, and the request changes devices or keys without the entries that say so.',
    client: 'Sign the entries and the head, and send them as `device_list`, or by `POST /v1/device-list`.',
    retry: 'redo',
  },
  'device-list-changed': {
    status: 409,
    when: 'The entries, or the head, do not follow the last entry of the device list. Another device was first, or the identity is a new one.',
    client: 'Read the list again, verify it, and sign again. `number` is that of the last entry, 0 where there is no list.',
    retry: 'redo',
    members: { number: z.int().nonnegative() },
  },
  ...PENDING_CHANGE_PROBLEMS,
  'invalid-device-list': {
    status: 422,
    when: 'An entry or the head breaks the rule of docs/identity.md that `rule` names.',
    client: 'Correct the client. With `entry-time` and `head-validity` the device’s clock may be wrong.',
    retry: 'no',
    members: { rule: z.enum(Object.keys(IDENTITY_RULES) as [IdentityRule, ...IdentityRule[]]) },
  },
}
