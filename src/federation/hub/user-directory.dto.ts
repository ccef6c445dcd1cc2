import { z } from 'zod'
import { Bytes, UnixSeconds } from '../../platform/http/bytes.js'

const Key = z.object({ public_key: Bytes(256), valid_from: UnixSeconds, valid_until: UnixSeconds.optional() })
const Device = z.object({ client: z.string().max(400), revoked_at: UnixSeconds.optional(), signature_keys: z.array(Key) })

/** What a provider says of one of its users: the DirectoryEntry of its client API, in CBOR. */
export const UserDirectory = z.object({ devices: z.array(Device) })

export type UserDirectoryEntry = z.infer<typeof UserDirectory>
