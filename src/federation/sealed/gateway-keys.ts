import { Injectable } from '@nestjs/common'
import { Secrets } from '../../platform/secrets.js'
import { publicKeyOf, type KeyConfig } from '../../protocol/ohttp/key-config.js'

const PERIOD_MS = 7 * 86_400_000
const PURPOSE = 'oblivious gateway v1'

/** Keys of envelopes: one a week, which every node derives from SERVER_SECRET, so that none is stored and all agree. */
@Injectable()
export class GatewayKeys {
  constructor(private readonly secrets: Secrets) {}

  /** Private keys by id: that of now, the one before, which clients may still have, and the next one, for a clock that is ahead. */
  at(now: number): ReadonlyMap<number, Uint8Array> {
    const period = periodOf(now)
    return new Map([period, period - 1, period + 1].map((one) => [idOf(one), this.privateKey(one)]))
  }

  /** What clients are told to use. */
  config(now: number): KeyConfig {
    const period = periodOf(now)
    return { id: idOf(period), publicKey: publicKeyOf(this.privateKey(period)), aeads: ['aes-128-gcm', 'chacha20-poly1305'] }
  }

  private privateKey(period: number): Uint8Array {
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(BigInt(period))
    return this.secrets.mac(PURPOSE, number)
  }
}

function periodOf(now: number): number {
  return Math.floor(now / PERIOD_MS)
}

function idOf(period: number): number {
  return period % 256
}
