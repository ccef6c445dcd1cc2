import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { NotFound } from '../../platform/http/problem.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import { parseClientUri, parseUserUri } from '../../protocol/identifiers.js'
import type { DirectoryEntry } from './directory.dto.js'
import { describeDevice, WITH_KEYS, type RecordedDevice } from './recorded-device.js'

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
