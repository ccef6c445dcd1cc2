import { Conflict, Problem } from '../platform/http/problem.js'
import type { RefusalFacts } from './upload/check-key-package.js'
import { describeRule, type UploadRule } from './upload/upload-rules.js'

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
    super(422, 'invalid-key-package', `${list}.${index} breaks the rule ${rule}: ${says}`, { list, index, rule, section, ...facts })
  }
}

export class TooManyKeyPackages extends Problem {
  constructor(maximum: number) {
    super(409, 'too-many-key-packages', `No more than ${maximum} KeyPackages are kept per device.`, { maximum })
  }
}

/** What may have been handed out several times must never be handed out as fresh, and the other way round. */
export class RoleChanged extends Conflict {
  constructor() {
    super('A KeyPackage of this upload was uploaded before in the other role (ordinary or last resort).')
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
    super(403, 'no-consent', 'The user does not want to be added by this one.')
  }
}
