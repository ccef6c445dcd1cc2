import { randomBytes } from 'node:crypto'
import { Device, newDevice, type Claim } from '../../examples/client/device.js'
import { Http, ServerProblem, type Encoding } from '../../examples/client/http.js'
import { newKeyPackageMessages, type KeyPackageOptions } from '../support/key-packages.js'

/** Limits that only their own test should meet. */
export const UNLIMITED = {
  LOGINS_PER_MINUTE: '100000', CLAIMS_PER_MINUTE: '100000', CLAIMS_PER_PAIR_PER_MINUTE: '100000', CLAIMS_PER_TARGET_PER_MINUTE: '100000',
}

export interface Stored {
  stored: { ref: Uint8Array; cipher_suite: number; last_resort: boolean; expires_at: number }[]
}
export interface Counts {
  cipher_suites: { cipher_suite: number; available: number; last_resort: boolean }[]
}

/** A device over real HTTP; what the server refuses is not tried again. */
export class HttpDevice {
  private constructor(readonly device: Device) {}

  static async register(baseUrl: string, { encoding = 'json' as Encoding, beside = undefined as HttpDevice | undefined } = {}): Promise<HttpDevice> {
    const user = beside?.user ?? `mimi://localhost/u/${randomBytes(6).toString('hex')}`
    const client = `${user.replace('/u/', '/d/')}/${randomBytes(4).toString('hex')}`
    const device = new Device(new Http({ baseUrl, encoding, retries: 0 }), await newDevice(user, client, [1, 2]))
    if (beside) await beside.device.enrol(device)
    else await device.register()
    return new HttpDevice(device)
  }

  get client(): string {
    return this.device.client
  }
  get user(): string {
    return this.device.record.user
  }

  make(count: number, suite = 1, options: Partial<KeyPackageOptions> = {}): Promise<Uint8Array[]> {
    return newKeyPackageMessages(count, { client: this.client, suite, key: this.device.record.keys.get(suite)!, ...options })
  }

  upload(keyPackages: Uint8Array[], lastResort: Uint8Array[] = []): Promise<Stored> {
    return this.device.http.post<Stored>('/v1/key-packages', { key_packages: keyPackages, last_resort: lastResort })
  }

  async counts(): Promise<Counts['cipher_suites']> {
    return (await this.device.http.get<Counts>('/v1/key-packages')).cipher_suites
  }

  claim(user: string, cipherSuites = [1], more: object = {}): Promise<Claim> {
    return this.device.http.post<Claim>('/v1/key-packages/claims', { user, cipher_suites: cipherSuites, ...more })
  }
}

/** The problem that an attempt must end with. */
export async function problemOf(attempt: Promise<unknown>): Promise<ServerProblem> {
  const outcome = await attempt.then(() => 'success', (error: unknown) => error)
  if (!(outcome instanceof ServerProblem)) throw new Error(`Expected a problem, got ${String(outcome)}`)
  return outcome
}
