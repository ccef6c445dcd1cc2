import { verify } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { LogRow } from '../../delivery/read/entry.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { signedHeadBytes, type HeadStatement } from '../../protocol/mimi/microchat/heads.js'
import type { NotifyBatch } from '../../protocol/mimi/microchat/notify-batch.js'
import { BatchRefused } from '../inbound/inbound.problems.js'
import type { Peer } from '../inbound/peer.js'
import { PeerDirectories } from '../peers/peer-directories.js'

/** A head that its hub has signed for this server: every field of the statement was compared with what this server knows. */
export interface CheckedHead {
  readonly statement: HeadStatement
  readonly keyId: string
  readonly signature: Uint8Array
}

/** A head is signed for the request that brings it; how long that may take, and by how much clocks may differ. */
const TOLERATED_MS = 300_000

type Rows = readonly Pick<LogRow, 'seq' | 'kind' | 'epoch' | 'hash' | 'chain'>[]

/**
 * What the hub has to have signed for a batch: the place of its last entry, or the place before a batch without entries.
 * @param entries those of the batch, chained
 */
export function headOf(
  batch: Omit<NotifyBatch, 'head'>,
  entries: Rows,
  parties: { hub: string; follower: string },
  at: bigint,
): HeadStatement {
  const { roomId, groupId, mode, incarnation, gap, firstSeq, previousChain } = batch
  const last = entries.at(-1)
  const place = { seq: last?.seq ?? firstSeq - 1n, chain: last?.chain ?? previousChain }
  const [first] = entries
  const resumed = gap === 'retired' && first ? first : undefined
  return { ...parties, roomId, groupId, mode, incarnation, ...place, signedAtMs: at, resumed }
}

/** Checks the heads of batches. */
@Injectable()
export class SignedHeads {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly directories: PeerDirectories,
  ) {}

  /** The head of a batch that the hub sends to this server. @throws BatchRefused if it is another one's, of another time, or not the hub's */
  async require(hub: Peer, batch: NotifyBatch, entries: readonly LogRow[]): Promise<CheckedHead> {
    const { signedAtMs, keyId, signature } = batch.head
    if (Math.abs(Number(signedAtMs) - Date.now()) > TOLERATED_MS) throw new BatchRefused('its head was not signed now')
    const statement = headOf(batch, entries, { hub: hub.domain, follower: this.config.DOMAIN }, signedAtMs)
    const key = await this.directories.key(hub.domain, keyId, new Date())
    if (!key || !verify(null, signedHeadBytes(statement), key, signature)) throw new BatchRefused('its head is not signed by the hub')
    return { statement, keyId, signature }
  }
}
