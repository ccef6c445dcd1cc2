import { z } from 'zod'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import { Problem } from '../platform/http/problem.js'
import { IDENTITY_RULES, type IdentityRule } from '../protocol/identity/rules.js'
import { STEP_UP_PURPOSES, type StepUpPurpose } from '../protocol/identity/step-up.js'

/** One answer for no proof, and for one of another purpose, subject, client, server or key, or over a nonce that is spent or expired. */
export class StepUpRequired extends Problem {
  constructor(purpose: StepUpPurpose) {
    super(403, 'step-up-required', 'This needs a fresh proof by a key of this device, for exactly this, in the field Step-Up.', { purpose })
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

/** docs/identity.md: device lists and step-up proofs. */
export const IDENTITY_PROBLEMS: ProblemTypes = {
  'step-up-required': {
    status: 403,
    when: 'The operation needs a fresh proof by a key besides the session. `Step-Up` is missing, or its proof is for another purpose, subject, client or server, by a key that does not count (any more), or over a nonce that is spent or expired. Which of them is not said.',
    client: 'Get a challenge for `purpose`, sign it as docs/identity.md §8 says, and send the request again with `Step-Up`.',
    retry: 'redo',
    members: { purpose: z.enum(STEP_UP_PURPOSES) },
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
  'invalid-device-list': {
    status: 422,
    when: 'An entry or the head breaks the rule of docs/identity.md that `rule` names.',
    client: 'Correct the client. With `entry-time` and `head-validity` the device’s clock may be wrong.',
    retry: 'no',
    members: { rule: z.enum(Object.keys(IDENTITY_RULES) as [IdentityRule, ...IdentityRule[]]) },
  },
}
