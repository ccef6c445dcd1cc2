import type { Caller } from '../../authentication/session/caller.js'
import { readDeviceStatuses } from '../../authentication/session/device-statuses.repository.js'
import type { Credentials } from '../../authentication/session/sessions.js'
import { CloseCode } from '../../protocol/frames.js'
import { TokenWatch } from '../socket/token-watch.js'
import type { StreamResources } from './stream-resources.js'

/** Who says whether a session is good. */
export interface SessionHost {
  authenticate(credentials: Credentials): Promise<Caller>
  /** @throws Problem 401 if the session has ended */
  checkSession(session: Pick<Caller, 'client' | 'generation'>): Promise<void>
}

export interface SessionEvents {
  expiring(at: Date): void
  /** The stream is to be closed with this code. */
  ended(code: number, reason: string): void
}

/** The session that a stream belongs to, and its access token, which can be renewed. */
export class StreamSession {
  private readonly token: TokenWatch
  private renewal: Credentials | undefined
  private generation: number

  constructor(
    private readonly caller: Caller,
    private readonly node: Pick<StreamResources, 'pool' | 'settings'>,
    private readonly host: SessionHost,
    private readonly events: SessionEvents,
  ) {
    this.generation = caller.generation
    this.token = new TokenWatch(node.settings.tokenWarningMs, {
      expiring: (at) => events.expiring(at),
      expired: () => events.ended(CloseCode.tokenExpired, 'token expired'),
    })
  }

  begin(): void {
    this.token.until(this.caller.expiresAt)
  }

  end(): void {
    this.token.stop()
  }

  /** As every request is checked, for what comes over the stream. @throws Problem 401 */
  check(): Promise<void> {
    return this.host.checkSession({ client: this.caller.client, generation: this.generation })
  }

  /** Tokens that come while one is being checked are not queued: the last of them is checked next. */
  renew(credentials: Credentials): void {
    const checking = this.renewal !== undefined
    this.renewal = credentials
    if (checking) return
    this.host.authenticate(credentials).then(
      (caller) => {
        const next = this.renewal
        this.renewal = undefined
        if (caller.deviceId !== this.caller.deviceId) return this.events.ended(CloseCode.tokenExpired, 'token of another device')
        this.generation = caller.generation
        this.token.until(caller.expiresAt)
        if (next !== undefined && next !== credentials) this.renew(next)
      },
      () => this.events.ended(CloseCode.tokenExpired, 'token not valid'),
    )
  }

  /** Between authentication and listening for hints, a revocation or a logout may have passed unheard. */
  async lookUp(): Promise<void> {
    const { deviceId } = this.caller
    const status = (await readDeviceStatuses(this.node.pool, [deviceId])).get(deviceId)
    if (status?.revoked !== false) return this.events.ended(CloseCode.revoked, 'device revoked')
    this.noteGeneration(status.generation)
  }

  /** A smaller one was read before the device logged in again. */
  noteGeneration(current: number): void {
    if (current > this.generation) this.events.ended(CloseCode.tokenExpired, 'session ended')
  }
}
