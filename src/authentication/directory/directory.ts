import { Inject, Injectable } from '@nestjs/common'
import { NotFound } from '../../platform/http/problem.js'
import { PRISMA, type Prisma } from '../../platform/postgres/prisma.js'
import type { DirectoryEntry } from './directory.dto.js'
import { describeDevice, WITH_KEYS, type RecordedDevice } from './recorded-device.js'

/** What this server vouches for: which signature keys an identity holds, since when and until when. */
@Injectable()
export class Directory {
  constructor(@Inject(PRISMA) private readonly prisma: Prisma) {}

  /** @param identity a user URI, for all of its devices, or a client URI, for one */
  async lookUp(identity: string): Promise<DirectoryEntry> {
    const devices: RecordedDevice[] = await this.prisma.device.findMany({
      where: { OR: [{ clientUri: identity }, { account: { userUri: identity } }] },
      include: WITH_KEYS,
      orderBy: { id: 'asc' },
    })
    if (devices.length === 0) throw new NotFound('This server knows no device of this identity.')
    return { identity, devices: devices.map(describeDevice) }
  }
}
