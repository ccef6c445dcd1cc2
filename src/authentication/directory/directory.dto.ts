import { z } from 'zod'
import { UnixSeconds } from '../../platform/http/bytes.js'
import { PublicKey } from '../challenges/challenges.dto.js'
import { ClientUri, UserOrClientUri } from '../identifiers.dto.js'

export const DirectoryKey = z
  .object({
    scheme: z.int().meta({ description: 'TLS SignatureScheme' }),
    public_key: PublicKey.meta({ description: 'Canonical: raw for Ed25519 and Ed448, an uncompressed point for ECDSA' }),
    valid_from: UnixSeconds,
    valid_until: UnixSeconds.optional().meta({ description: 'The earlier of its planned end and its being retired or revoked' }),
    successor: PublicKey.optional().meta({ description: 'The public key that the device names as the next one (RFC 9420 §5.3.1)' }),
  })
  .meta({ id: 'DirectoryKey' })

export const DirectoryDevice = z
  .object({
    client: ClientUri,
    since: UnixSeconds,
    revoked_at: UnixSeconds.optional(),
    signature_keys: z.array(DirectoryKey),
  })
  .meta({ id: 'DirectoryDevice' })
export type DirectoryDevice = z.output<typeof DirectoryDevice>

export const DirectoryEntry = z
  .object({ identity: UserOrClientUri, devices: z.array(DirectoryDevice) })
  .meta({ id: 'DirectoryEntry', description: 'Which signature keys an identity holds and has held; a key binds nothing outside its times' })
export type DirectoryEntry = z.output<typeof DirectoryEntry>

export const DirectoryQuery = z.strictObject({ identity: UserOrClientUri })
export type DirectoryQuery = z.infer<typeof DirectoryQuery>
