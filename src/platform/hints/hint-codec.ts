import { z } from 'zod'
import { decodeCbor } from '../../protocol/strict-cbor.js'
import { encodeCbor } from '../http/encode.js'
import type { Secrets } from '../secrets/secrets.js'
import type { Hint } from './hint.js'

const PURPOSE = 'hints v1'
const MAC_BYTES = 16
const Id = z.int().nonnegative().transform(BigInt)

/** Nodes of the release before this one understand it, too: change the purpose when the form changes. */
const Batch = z.object({
  node: z.string(),
  hints: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('group'), gid: Id, headSeq: Id }),
      z.object({ kind: z.literal('inbox'), deviceId: Id }),
      z.object({ kind: z.literal('acked'), deviceId: Id }),
      z.object({ kind: z.literal('revoked'), deviceId: Id }),
      z.object({ kind: z.literal('session-ended'), deviceId: Id }),
      z.object({ kind: z.literal('displaced'), deviceId: Id, streamId: z.string().max(64) }),
    ]),
  ),
})

/** MAC, then CBOR. Whoever can write to Redis can withhold hints, not invent them. */
export function sealHints(secrets: Secrets, channel: string, node: string, hints: readonly Hint[]): Buffer {
  const body = encodeCbor({ node, hints })
  return Buffer.concat([secrets.mac(PURPOSE, bound(channel, body)).subarray(0, MAC_BYTES), body])
}

export function openHints(secrets: Secrets, channel: string, sealed: Uint8Array): { node: string; hints: Hint[] } | undefined {
  const body = sealed.subarray(MAC_BYTES)
  if (!secrets.verifyMac(PURPOSE, bound(channel, body), sealed.subarray(0, MAC_BYTES))) return undefined
  try {
    return Batch.parse(decodeCbor(body))
  } catch {
    return undefined
  }
}

function bound(channel: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${channel}\0`), body])
}
