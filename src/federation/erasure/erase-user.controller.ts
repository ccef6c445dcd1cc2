import { Controller, Inject } from '@nestjs/common'
import type { Pool } from 'pg'
import { deleteAccount } from '../../authentication/accounts/deletion.repository.js'
import { accountDeleted } from '../../authentication/authentication.events.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { decodeEraseUserRequest, encodeErasureReceipt, erasureReceiptBytes } from '../../protocol/mimi/microchat/erasure.js'
import { PEER_PATH } from '../identity/endpoints.js'
import { ProviderKeys } from '../identity/provider-keys.js'
import { MalformedBody } from '../inbound/inbound.problems.js'
import { decodedOrRefused } from '../inbound/decoded.js'
import { PeerPost, UserVariable } from '../inbound/peer-route.js'
import { CurrentPeer, PeerBody, requireUriOfPeer, type Peer } from '../inbound/peer.js'
import { forgetStranger, lockForeignUser } from './erasures.repository.js'

/**
 * A provider has deleted one of its users. What it could do here ends at once; what is kept of it goes by the job that erases our own. The
 * receipt is the same for a user who was never known here, and for one who is gone: it tells nothing of that.
 */
@Controller(PEER_PATH)
export class EraseUserController {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly keys: ProviderKeys,
    private readonly hints: Hints,
    private readonly events: Events,
  ) {}

  @PeerPost('eraseUser/:user')
  async erase(@CurrentPeer() peer: Peer, @UserVariable('user') user: string, @PeerBody() body: Uint8Array): Promise<Uint8Array> {
    const request = decodedOrRefused(decodeEraseUserRequest(body))
    if (request.user !== user) throw new MalformedBody('the user is another one than that of the address')
    requireUriOfPeer(peer, user, 'user')
    const devices = await transaction(this.pool, async (sql) => {
      const accountId = await lockForeignUser(sql, user)
      await forgetStranger(sql, user)
      if (accountId === undefined) return []
      return (await deleteAccount(sql, { domain: this.config.DOMAIN, accountId, erasureId: null }))?.devices
    })
    if (devices && devices.length > 0) accountDeleted(this.events)
    this.hints.publish((devices ?? []).map((deviceId) => ({ kind: 'revoked', deviceId })))
    const receipt = { erasureId: request.erasureId, erasedAtMs: BigInt(Date.now()) }
    return encodeErasureReceipt({
      ...receipt,
      ...(await this.keys.signBytes(erasureReceiptBytes({ user, eraser: this.config.DOMAIN }, receipt))),
    })
  }
}
