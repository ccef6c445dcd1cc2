import { Inject, Injectable } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { AddressInfo } from 'node:net'
import { CONFIG, type Config } from '../../platform/config/config.js'

/** Where peers reach this server: what the operator says, or where it listens. */
@Injectable()
export class OwnUrl {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'FEDERATION_URL' | 'PUBLIC_URL' | 'HOST'>,
    private readonly host: HttpAdapterHost,
  ) {}

  get(): string {
    const stated = this.config.FEDERATION_URL ?? this.config.PUBLIC_URL
    if (stated) return stated
    const server: { address(): AddressInfo | string | null } = this.host.httpAdapter.getHttpServer()
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('The server does not listen yet')
    const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `http://${name}:${address.port}`
  }
}
