import { createHash } from 'node:crypto'
import { headOf } from '../../src/federation/evidence/signed-heads.js'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { extendChain, LETTER_OF_KIND } from '../../src/protocol/log-chain.js'
import { signedHeadBytes } from '../../src/protocol/mimi/microchat/heads.js'
import type { NotifyBatch } from '../../src/protocol/mimi/microchat/notify-batch.js'
import type { Provider } from './federation.js'

/** A batch with the head that the hub would sign for it, whatever it says. */
export async function signedBatch(hub: Provider, follower: Provider, batch: Omit<NotifyBatch, 'head'>): Promise<NotifyBatch> {
  let chain = batch.previousChain
  const rows = batch.entries.map(({ kind, epoch, message }, index) => {
    const seq = batch.firstSeq + BigInt(index)
    const hash = createHash('sha256').update(message.message).digest()
    chain = extendChain(chain, { seq, kind, epoch, hash })
    return { seq, kind: LETTER_OF_KIND[kind], epoch, hash, chain }
  })
  const signedAtMs = BigInt(Date.now())
  const head = headOf(batch, rows, { hub: hub.domain, follower: follower.domain }, signedAtMs)
  return { ...batch, head: { signedAtMs, ...(await hub.app.get(ProviderKeys).signBytes(signedHeadBytes(head))) } }
}
