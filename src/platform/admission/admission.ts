import { Problem, RateLimited, Unavailable } from '../http/problem.js'
import { Buckets } from '../limits/buckets.js'
import { numberOf, type DescribedLimit } from '../limits/described-limit.js'
import { Holds } from '../limits/holds.js'
import {
  ACCOUNT_REQUESTS,
  ADDRESS_ANONYMOUS_REQUESTS,
  ADDRESS_OPERATIONAL_REQUESTS,
  ADDRESS_UNAUTHENTICATED_IN_FLIGHT,
  BODY_RATE_BURST,
  CALLER_BODY_RATE,
  CALLER_BYTES,
  DEVICE_REQUEST_RATE,
  DEVICE_REQUESTS,
  PEER_ADDRESS_REQUESTS,
  PEER_BODY_RATE,
} from './admission-limits.js'
import { BytesInFlight } from './bytes-in-flight.js'
import type { Priority, Pressure } from './pressure.js'

export interface AdmissionSettings {
  readonly ANONYMOUS_PER_MINUTE: number
  readonly REQUESTS_PER_DEVICE_PER_MINUTE: number
  readonly BYTES_IN_FLIGHT: number
  /** The largest body has to fit into every budget. */
  readonly MAX_BODY_BYTES: number
}

/** The authenticated device behind a request, and its account, as keys of counters. */
export interface Asker {
  readonly device: string
  readonly account: string
}

/** A request that was let in: what it holds until its answer has been sent. */
export interface Admitted {
  /** Counts the rate of its body's bytes, at once if the length is known. @throws Problem 429 */
  countBody(bytes: number): void
  /** Counts bytes of its body. @throws Problem 429 or 503 */
  takeBodyBytes(bytes: number, sizeOfBody: number): void
  holdAnswer(bytes: number): void
  readonly release: () => void
}

/** A burst of a sixth of a minute's worth: ten seconds of it at once. */
const perMinute = (points: number) => ({ perSecond: points / 60, burst: Math.max(1, Math.ceil(points / 6)) })
/** Something finishes sooner than in a second, usually. */
const RETRY_SECONDS = 1
const bodyRate = (perSecond: number, largest: number) => new Buckets({ perSecond, burst: Math.max(perSecond * BODY_RATE_BURST, largest) })

/** Who may make this process work, and on how much at once. All of it is in memory and without I/O: refusing is cheap. */
export class Admission {
  readonly bytes: BytesInFlight
  private readonly anonymousRate: Buckets
  private readonly deviceRate: Buckets
  private readonly callerBodyRate: Buckets
  private readonly peerBodyRate: Buckets
  private readonly peerRate = new Buckets({ perSecond: numberOf(PEER_ADDRESS_REQUESTS), burst: numberOf(PEER_ADDRESS_REQUESTS) * 5 })
  private readonly operationalRate = new Buckets({
    perSecond: numberOf(ADDRESS_OPERATIONAL_REQUESTS),
    burst: numberOf(ADDRESS_OPERATIONAL_REQUESTS) * 10,
  })
  private readonly addressRequests = new Holds(numberOf(ADDRESS_UNAUTHENTICATED_IN_FLIGHT))
  private readonly deviceRequests = new Holds(numberOf(DEVICE_REQUESTS))
  private readonly accountRequests = new Holds(numberOf(ACCOUNT_REQUESTS))

  /** @param refused something was refused by this limit */
  constructor(
    settings: AdmissionSettings,
    private readonly pressure: Pick<Pressure, 'refuses'>,
    private readonly refused: (limit: Pick<DescribedLimit, 'name'>) => void,
  ) {
    const { MAX_BODY_BYTES: largest } = settings
    this.bytes = new BytesInFlight(settings.BYTES_IN_FLIGHT, Math.max(numberOf(CALLER_BYTES), 2 * largest))
    this.callerBodyRate = bodyRate(numberOf(CALLER_BODY_RATE), largest)
    this.peerBodyRate = bodyRate(numberOf(PEER_BODY_RATE), largest)
    this.anonymousRate = new Buckets(perMinute(settings.ANONYMOUS_PER_MINUTE))
    this.deviceRate = new Buckets(perMinute(settings.REQUESTS_PER_DEVICE_PER_MINUTE))
  }

  /** Requests in flight, without those for health and metrics. */
  get requests(): number {
    return this.addressRequests.total + this.deviceRequests.total
  }

  /** @throws Problem 503 if the process is overloaded and this kind of work is given up */
  checkPressure(priority: Priority): void {
    if (!this.pressure.refuses(priority)) return
    this.refused({ name: `pressure-${priority}` })
    throw new Unavailable('The server is overloaded.', RETRY_SECONDS)
  }

  /** @param address group of addresses, see `addressGroup`. @throws Problem 429 */
  admitAnonymous(address: string): Admitted {
    this.count(this.anonymousRate, ADDRESS_ANONYMOUS_REQUESTS, address)
    this.hold(this.addressRequests, ADDRESS_UNAUTHENTICATED_IN_FLIGHT, address)
    return this.admitted(address, () => this.addressRequests.release(address))
  }

  /** Health and metrics have a rate of their own: a balancer that asks must not be refused for what its clients do. @throws Problem 429 */
  admitOperational(address: string): Admitted {
    this.count(this.operationalRate, ADDRESS_OPERATIONAL_REQUESTS, address)
    return this.admitted(address, () => undefined)
  }

  /**
   * A request from here was refused before it was known who asks.
   * @returns whether there have been too many of them, so that the connection is better closed: new ones are limited, too
   */
  noteRefusal(address: string): boolean {
    const bucket = this.anonymousRate.of(address)
    const tooMany = bucket.take() > 0
    if (tooMany) this.refused(ADDRESS_ANONYMOUS_REQUESTS)
    return tooMany
  }

  /** A request that another provider is said to have signed. @throws Problem 429 */
  admitPeer(address: string): Admitted {
    this.count(this.peerRate, PEER_ADDRESS_REQUESTS, address)
    this.hold(this.addressRequests, ADDRESS_UNAUTHENTICATED_IN_FLIGHT, address)
    return this.admitted(address, () => this.addressRequests.release(address), PEER_BODY_RATE)
  }

  /** @throws Problem 429 */
  admitDevice({ device, account }: Asker): Admitted {
    this.count(this.deviceRate, DEVICE_REQUEST_RATE, device)
    this.hold(this.deviceRequests, DEVICE_REQUESTS, device)
    try {
      this.hold(this.accountRequests, ACCOUNT_REQUESTS, account)
    } catch (refusal) {
      this.deviceRequests.release(device)
      throw refusal
    }
    return this.admitted(account, () => {
      this.deviceRequests.release(device)
      this.accountRequests.release(account)
    })
  }

  private admitted(caller: string, release: () => void, rate: DescribedLimit = CALLER_BODY_RATE): Admitted {
    let held = 0
    let released = false
    const rates = rate === PEER_BODY_RATE ? this.peerBodyRate : this.callerBodyRate
    return {
      takeBodyBytes: (bytes, sizeOfBody) => {
        if (released) return
        this.takeBytes(caller, bytes, sizeOfBody)
        held += bytes
      },
      holdAnswer: (bytes) => {
        if (released) return
        this.bytes.hold(caller, bytes)
        held += bytes
      },
      countBody: (bytes) => this.count(rates, rate, caller, bytes),
      release: () => {
        if (released) return
        released = true
        this.bytes.release(caller, held)
        release()
      },
    }
  }

  private takeBytes(caller: string, bytes: number, sizeOfBody: number): void {
    const limit = this.bytes.take(caller, bytes, sizeOfBody)
    if (!limit) return
    this.refused(limit)
    throw limit === CALLER_BYTES
      ? new RateLimited(RETRY_SECONDS)
      : new Unavailable('The server holds too much data already.', RETRY_SECONDS)
  }

  private count(buckets: Buckets, limit: DescribedLimit, key: string, points = 1): void {
    const waitMs = buckets.take(key, points)
    if (waitMs > 0) throw this.refusal(limit, waitMs / 1000)
  }

  private hold(holds: Holds, limit: DescribedLimit, key: string): void {
    if (!holds.take(key)) throw this.refusal(limit, RETRY_SECONDS)
  }

  private refusal(limit: DescribedLimit, seconds: number): Problem {
    this.refused(limit)
    return new RateLimited(seconds)
  }
}
