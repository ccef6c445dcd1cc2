import { z } from 'zod'
import type { ProblemTypes } from '../platform/http/problem-types.js'
import { Problem } from '../platform/http/problem.js'
import { describeRule, type RefusalFacts, type UploadRule } from './check-key-package.js'

/** Where in the upload the KeyPackage stands. */
export interface UploadPosition {
  readonly list: 'key_packages' | 'last_resort'
  readonly index: number
}

export class KeyPackageUndecodable extends Problem {
  constructor({ list, index }: UploadPosition, reason: string) {
    super(422, 'undecodable', `${list}.${index} is no KeyPackage in an MLSMessage: ${reason}.`, { list, index })
  }
}

/** It decodes, but breaks a rule; nothing of the upload was stored. `section` is of RFC 9420 unless it names a document. */
export class KeyPackageRefused extends Problem {
  constructor({ list, index }: UploadPosition, rule: UploadRule, facts: RefusalFacts = {}) {
    const { section, says } = describeRule(rule)
    const lifetime =
      facts['not_before'] === undefined
        ? ''
        : ` It is valid from ${facts['not_before']} to ${facts['not_after']}; the time here is ${facts['server_time']}, and ${facts['longest_lifetime']} seconds are the most.`
    super(422, 'invalid-key-package', `${list}.${index} breaks the rule ${rule}: ${says}${lifetime}`, {
      list,
      index,
      rule,
      section,
      ...facts,
    })
  }
}

export class TooManyKeyPackages extends Problem {
  constructor(maximum: number) {
    super(409, 'too-many-key-packages', `No more than ${maximum} KeyPackages are kept per device.`, { maximum })
  }
}

/** What may have been handed out several times must never be handed out as fresh, and the other way round. */
export class RoleChanged extends Problem {
  constructor() {
    super(409, 'key-package-role', 'A KeyPackage of this upload was uploaded before in the other role (ordinary or last resort).')
  }
}

/** A claim across providers proves who claims, to the provider of the target (draft-ietf-mimi-protocol-06, Fetch Key Material). */
export class SignedRequestNeeded extends Problem {
  constructor() {
    super(422, 'signed-request-needed', 'The user is of another provider: add a key_material_request, signed by this device.')
  }
}

export class NoConsent extends Problem {
  constructor() {
    super(403, 'no-consent', 'The user has not consented to be added by this user.')
  }
}

const UploadMembers = { list: z.enum(['key_packages', 'last_resort']), index: z.int().nonnegative() }

export const KEY_PACKAGE_PROBLEMS: ProblemTypes = {
  'invalid-key-package': {
    status: 422,
    when: 'A KeyPackage of the upload decodes and breaks a rule of docs/mls-rules.md. Nothing of the upload was stored.',
    client: 'Make the KeyPackage as `rule` demands. `list` and `index` say which one it is.',
    retry: 'no',
    members: {
      ...UploadMembers,
      rule: z.string().meta({ description: 'Name in docs/mls-rules.md' }),
      section: z.string().meta({ description: 'Section of RFC 9420, or the name of another document' }),
      not_before: z.int().optional().meta({ description: 'With leaf-node-lifetime: what the KeyPackage says, Unix seconds' }),
      not_after: z.int().optional().meta({ description: 'The same' }),
      server_time: z.int().optional().meta({ description: 'With leaf-node-lifetime: the clock here, Unix seconds' }),
      longest_lifetime: z.int().optional().meta({ description: 'With leaf-node-lifetime: the longest that is taken, in seconds' }),
      longest_age: z.int().optional().meta({ description: 'With leaf-node-lifetime: how long a KeyPackage is handed out, in seconds' }),
      expected_identity: z.string().optional().meta({ description: 'With credential: the identity that it has to have' }),
    },
  },
  'too-many-key-packages': {
    status: 409,
    when: 'The device would have more KeyPackages here than are kept.',
    client: 'Upload fewer: `maximum` counts all suites.',
    retry: 'no',
    members: { maximum: z.int() },
  },
  'key-package-role': {
    status: 409,
    when: 'A KeyPackage was uploaded before in the other role (ordinary or last resort).',
    client: 'Make a new KeyPackage: one that may have been used several times must not be handed out as fresh.',
    retry: 'no',
  },
  'signed-request-needed': {
    status: 422,
    when: 'The user is of another provider, which wants to see who claims.',
    client: 'Add `key_material_request`, signed by this device.',
    retry: 'redo',
  },
  'no-consent': {
    status: 403,
    when: 'The user has not consented to be added by this user.',
    client: 'Ask for consent (`POST /v1/consents`), and claim again once it is granted.',
    retry: 'redo',
  },
}
