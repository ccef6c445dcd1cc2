import { z } from 'zod'
import { Epoch, EpochText, MlsBytes } from '../../platform/http/bytes.js'

const PublicKey = MlsBytes(32).meta({ description: 'Ed25519, raw: 32 bytes' })

export const PublishSenderKey = z
  .strictObject({
    epoch: Epoch,
    public_key: PublicKey,
    proof: MlsBytes(64).meta({ description: 'By the key itself, over label, group, epoch, user and key: see docs/sealed-sender.md' }),
  })
  .meta({ id: 'PublishSenderKey' })
export type PublishSenderKey = z.infer<typeof PublishSenderKey>

/** One for each user at most. A member whose own derivation differs from one of these knows whose is wrong. */
export const SenderKeys = z
  .object({ epoch: Epoch, keys: z.array(z.object({ user: z.string(), public_key: PublicKey })) })
  .meta({ id: 'SenderKeys', description: 'What members say the sender key of an epoch is. Honest ones say the same.' })
export type SenderKeys = z.infer<typeof SenderKeys>

export const SenderKeysAt = z.object({ epoch: EpochText.optional() })
export type SenderKeysAt = z.infer<typeof SenderKeysAt>
