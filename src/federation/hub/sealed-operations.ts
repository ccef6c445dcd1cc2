import { Injectable } from '@nestjs/common'
import { z } from 'zod'
import { PublishSenderKey } from '../../groups/sealed/sealed.dto.js'
import { SenderKeysService } from '../../groups/sealed/sender-keys.service.js'
import { Epoch } from '../../platform/http/bytes.js'
import { operation } from './operation.js'

/** What members do under their names, so that they can post without. */
@Injectable()
export class SealedOperations {
  constructor(private readonly keys: SenderKeysService) {}

  get all() {
    const { keys } = this
    return {
      'publish-sender-key': operation(PublishSenderKey, (caller, groupId, args) => keys.publish(caller, groupId, args)),
      'sender-keys': operation(z.object({ epoch: Epoch.optional() }), (caller, groupId, { epoch }) => keys.read(caller, groupId, epoch)),
    }
  }
}
