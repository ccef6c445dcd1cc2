import { Inject, Injectable } from '@nestjs/common'
import type { Logger } from 'pino'
import type { Jobs } from '../../platform/jobs/jobs.js'
import { LOG } from '../../platform/observability/log.js'
import { encodeOperationRequest } from '../../protocol/mimi/microchat/operation.js'
import { SignedClient } from '../signed-client/signed-client.js'
import type { RevokedMember } from './revoked-members.repository.js'

/** Word to a hub of what it has to look up anew. */
@Injectable()
export class HubNotifier {
  constructor(
    private readonly client: SignedClient,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** @returns whether the hub has heard it */
  async revoked({ client, groupId, hub, roomId }: RevokedMember): Promise<boolean> {
    const body = encodeOperationRequest({ operation: 'revoked', client, groupId, args: new Uint8Array() })
    const answer = await this.client.send({ peer: hub, endpoint: 'operation', argument: roomId, body })
    const heard = answer.kind === 'answered' && answer.status === 200
    if (!heard) this.log.warn({ kind: answer.kind }, 'a hub has not heard of a revocation yet')
    return heard
  }

  soon(job: string, jobs: Jobs): void {
    jobs
      .enqueue(job, {}, { dedupeId: job, attempts: 1 })
      .catch((error: unknown) => this.log.warn({ err: error }, 'revocations wait for the sweep'))
  }
}
