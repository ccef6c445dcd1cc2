import { Problem, Unavailable } from '../../platform/http/problem.js'
import type { KeyMaterialUserCode } from '../../protocol/mimi/key-material.js'

export class KeyMaterialUnavailable extends Unavailable {
  constructor() {
    super("The user's provider gives no KeyPackages now.", 5)
  }
}

/** Another provider, or the hub of the room, gives no KeyPackages, and says why. */
export class KeyMaterialRefused extends Problem {
  constructor(code: KeyMaterialUserCode) {
    const unknown = code === 'user-unknown' || code === 'user-deleted'
    super(unknown ? 404 : 403, code, 'The provider gives no KeyPackages of this user.')
  }
}
