import { Injectable } from '@nestjs/common'
import { Secrets } from '../../platform/secrets/secrets.js'
import type { GatewayKey } from '../../protocol/ohttp/gateway.js'

const PERIOD_MS = 7 * 86_400_000
const PURPOSE = 'oblivious gateway v1'

/** Keys of envelopes: one a week, which every node derives from SERVER_SECRET, so that none is stored and all agree. */
@Injectable()
export class GatewayKeys {
  constructor(private readonly secrets: Secrets) {}

  /** The key of now, the one before, which clients may still have, and the next one, for a clock that is ahead. */
  all(now: number): GatewayKey[] {
    const period = Math.floor(now / PERIOD_MS)
    return [period, period - 1, period + 1].map((one) => this.of(one))
  }

  /** What clients are told to use. */
  present(now: number): GatewayKey {
    return this.of(Math.floor(now / PERIOD_MS))
  }

  private of(period: number): GatewayKey {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(BigInt(period))
    return { id: period % 256, privateKey: this.secrets.mac(PURPOSE, number) }
  }
}
