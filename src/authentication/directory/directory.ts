import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { parseClientUri, parseUserUri } from '../../protocol/identifiers.js'
import type { DirectoryEntry, DirectoryDevice } from './directory.dto.js'

/** A device with its keys and account, as Prisma reads it: see `WITH_KEYS`. */
export interface RecordedDevice {
  readonly clientUri: string
  readonly createdAt: Date
  readonly revokedAt: Date | null
  readonly account: { readonly disabledAt: Date | null }
  readonly signatureKeys: readonly RecordedKey[]
}

export interface RecordedKey {
  readonly id: bigint
  readonly scheme: number
  readonly publicKey: Uint8Array
  readonly validFrom: Date
  readonly validUntil: Date | null
  readonly revokedAt: Date | null
  readonly successor: { readonly publicKey: Uint8Array } | null
}

/** What to read along with a device. */
export const WITH_KEYS = {
  account: { select: { disabledAt: true } },
  signatureKeys: { include: { successor: { select: { publicKey: true } } }, orderBy: { id: 'asc' } },
} as const

/** A device is gone when it was revoked or its account disabled, whichever came first; so are its keys. */
export function describeDevice(device: RecordedDevice): DirectoryDevice {
  const revokedAt = earliest(device.revokedAt, device.account.disabledAt)
  return {
    client: device.clientUri,
    since: device.createdAt,
    ...(revokedAt && { revoked_at: revokedAt }),
    signature_keys: device.signatureKeys.map((key) => describeKey(key, revokedAt)),
  }
}

/**
 * A key as the directory shows it.
 * @param deviceEnd when its device ended, if it did: the key ended by then at the latest
 */
export function describeKey(key: RecordedKey, deviceEnd: Date | undefined): DirectoryDevice['signature_keys'][number] {
  const validUntil = earliest(key.validUntil, key.revokedAt, deviceEnd)
  return {
    scheme: key.scheme,
    public_key: key.publicKey,
    valid_from: key.validFrom,
    ...(validUntil && { valid_until: validUntil }),
    ...(key.successor && { successor: key.successor.publicKey }),
  }
}

function earliest(...dates: readonly (Date | null | undefined)[]): Date | undefined {
  return dates.filter((date) => date instanceof Date).toSorted((a, b) => a.getTime() - b.getTime())[0]
}

/** What this server vouches for: which signature keys an identity holds, since when and until when. */
@Injectable()
export class Directory {
  constructor(
    @Inject(PRISMA) private readonly prisma: Prisma,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  /** @param identity a user URI, for all of its devices, or a client URI, for one */
  async lookUp(identity: string): Promise<DirectoryEntry> {
    const domain = (parseUserUri(identity) ?? parseClientUri(identity))?.domain
    if (domain !== this.config.DOMAIN) throw new NotFound('This server answers for its own users only.')
    const devices: RecordedDevice[] = await this.prisma.device.findMany({
      where: { OR: [{ clientUri: identity }, { account: { userUri: identity } }] },
      include: WITH_KEYS,
      orderBy: { id: 'asc' },
    })
    if (devices.length === 0) throw new NotFound('No device with this identity is known here.')
    return { identity, devices: devices.map(describeDevice) }
  }
}
