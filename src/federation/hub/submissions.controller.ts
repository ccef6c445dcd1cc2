import { Controller, Inject, Param } from '@nestjs/common'
import type { Pool } from 'pg'
import { CommitsService } from '../../groups/commit/commits.service.js'
import type { Accepted } from '../../groups/groups.dto.js'
import { MessagesService } from '../../groups/message/messages.service.js'
import { ProposalsService } from '../../groups/proposal/proposals.service.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import {
  decodeExtendedUpdateRequest,
  encodeExtendedSubmitResponse,
  encodeExtendedUpdateResponse,
} from '../../protocol/mimi/microchat/submissions.js'
import { decodeSubmitMessageRequest } from '../../protocol/mimi/submit-message.js'
import { carryProblem } from '../carried-problem.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { PeerPost } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, providerOf, type Peer } from '../inbound/peer.js'
import { ForeignDevices } from './foreign-devices.js'
import { commitOf, groupIdOf, submitRefusal, updateRefusal } from './submitted.js'
import { NotTheHub } from './hub.problems.js'
import { roomOfGroup } from './hub.repository.js'

const NOTHING = new Uint8Array()

/** What followers' users submit to groups that are at home here: judged and ordered like what our own users submit. */
@Controller(PEER_PATH)
export class SubmissionsController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly devices: ForeignDevices,
    private readonly commits: CommitsService,
    private readonly proposals: ProposalsService,
    private readonly messages: MessagesService,
  ) {}

  @PeerPost('update/:roomId')
  async update(@CurrentPeer() peer: Peer, @Param('roomId') roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeExtendedUpdateRequest(body))
    const caller = await this.devices.caller(peer, request.sendingClient)
    try {
      const { base } = request
      if (base.kind === 'commit') {
        const groupId = await this.groupIn(roomId, base.commit)
        return updated(await this.commits.submit(caller, groupId, commitOf(base, request)))
      }
      let accepted: Accepted | undefined
      for (const proposal of base.proposals) accepted = await this.proposals.submit(caller, await this.groupIn(roomId, proposal), proposal)
      return updated(accepted)
    } catch (thrown) {
      const { problem, bytes } = carryProblem(thrown)
      return encodeExtendedUpdateResponse({ base: updateRefusal(problem), accepted: undefined, problem: bytes })
    }
  }

  @PeerPost('submitMessage/:roomId')
  async submit(@CurrentPeer() peer: Peer, @Param('roomId') roomId: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const { message, sendingUri } = decodedOrRefused(decodeSubmitMessageRequest(body))
    const caller = await this.devices.caller(peer, sendingUri)
    try {
      const accepted = await this.messages.submit(caller, await this.groupIn(roomId, message), message)
      const base = { code: 'accepted', acceptedAtMs: BigInt(Date.now()) } as const
      return encodeExtendedSubmitResponse({ base, accepted, problem: NOTHING })
    } catch (thrown) {
      const { problem, bytes } = carryProblem(thrown)
      return encodeExtendedSubmitResponse({ base: submitRefusal(problem), accepted: undefined, problem: bytes })
    }
  }

  /** The group that a message names, if it is at home here and in that room. */
  private async groupIn(roomId: string, message: Uint8Array): Promise<Uint8Array> {
    const groupId = groupIdOf(message)
    const found = providerOf(roomId) === this.config.DOMAIN ? await roomOfGroup(this.pool, groupId) : undefined
    if (found !== roomId) throw new NotTheHub()
    return groupId
  }
}

function updated(accepted: Accepted | undefined): Uint8Array {
  const base = { code: 'success', description: '', acceptedAtMs: BigInt(Date.now()) } as const
  return encodeExtendedUpdateResponse({ base, accepted, problem: NOTHING })
}
