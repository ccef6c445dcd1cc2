import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { ChangePolicy } from '../../groups/policy/policy.dto.js'
import { PolicyService } from '../../groups/policy/policy.service.js'
import { UserReference } from '../../groups/policy/uris.js'
import { operation } from './operation.js'

const User = z.object({ user: UserReference })

/** Who may do what in a group. */
@Injectable()
export class PolicyOperations {
  constructor(private readonly policies: PolicyService) {}

  get all() {
    const { policies } = this
    return {
      policy: operation(z.object({}), (caller, groupId) => policies.read(caller, groupId)),
      'change-policy': operation(ChangePolicy, (caller, groupId, args) => policies.change(caller, groupId, args)),
      'make-admin': operation(User, (caller, groupId, { user }) => policies.makeAdmin(caller, groupId, user)),
      'dismiss-admin': operation(User, (caller, groupId, { user }) => policies.dismissAdmin(caller, groupId, user)),
      ban: operation(User, (caller, groupId, { user }) => policies.ban(caller, groupId, user)),
      unban: operation(User, (caller, groupId, { user }) => policies.unban(caller, groupId, user)),
    }
  }
}
