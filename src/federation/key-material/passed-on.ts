import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { decodeIncomingKeyPackage } from '../../platform/http/incoming-message.js'
import { numberOf } from '../../platform/limits/described-limit.js'
import { CHANGES_WAITING, RowQueues } from '../../platform/postgres/row-queues.js'
import { POOL } from '../../platform/postgres/sql.js'
import { hex } from '../../protocol/bytes.js'
import { decodeKeyMaterialResponse, type SignedKeyMaterialRequest } from '../../protocol/mimi/key-material.js'
import { keyPackageRef } from '../../protocol/mls/hashes.js'
import { sha256 } from '../../protocol/sha256.js'
import { findPassedOn, keepPassedOn } from './passed-on.repository.js'

/**
 * Requests for KeyPackages that a hub of the draft passes on for users of other providers. They have neither time nor nonce, and a user who asks again signs
 * the same bytes: the same request gets the same KeyPackages until one of them was used, however often and however late the hub sends it.
 */
@Injectable()
export class PassedOnRequests {
  private readonly queues = new RowQueues(1, numberOf(CHANGES_WAITING))

  constructor(@Inject(POOL) private readonly pool: Pool) {}

  /** @param answer makes the first answer, and checks the request */
  once(hub: string, { tbs }: SignedKeyMaterialRequest, answer: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const hash = sha256(Buffer.concat([Buffer.from(`${hub}\0`), tbs]))
    return this.queues.run(hex(hash), async () => {
      const found = await findPassedOn(this.pool, hash)
      if (found) return found
      const made = await answer()
      await keepPassedOn(this.pool, { hash, refs: refsIn(made), answer: made })
      // Of two nodes that were asked at once, the answer of the first counts: what the other has taken is lost, and nobody gets it.
      return (await findPassedOn(this.pool, hash)) ?? made
    })
  }
}

function refsIn(answer: Uint8Array): Uint8Array[] {
  const decoded = decodeKeyMaterialResponse(answer)
  const clients = decoded.kind === 'decoded' ? decoded.value.clients : []
  return clients.flatMap((one) => {
    const keyPackage = one.status === 'success' ? decodeIncomingKeyPackage(one.keyPackage) : undefined
    const ref = keyPackage?.kind === 'decoded' && keyPackageRef(keyPackage.value.cipherSuite, keyPackage.value.bytes)
    return ref ? [ref] : []
  })
}
