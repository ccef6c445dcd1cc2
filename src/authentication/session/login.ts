import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction, type Sql } from '../../platform/postgres/sql.js'
import type { SignatureKey } from '../../protocol/signature-key.js'
import { lockAccount } from '../accounts/accounts.repository.js'
import { sessionOpened } from '../authentication.events.js'
import { LoginRefused } from '../authentication.problems.js'
import { Challenges } from '../challenges/challenges.js'
import { consumeChallenge } from '../challenges/challenges.repository.js'
import { deviceWithKey } from '../devices/signature-keys.repository.js'
import { resolveClients } from '../directory/directory.repository.js'
import { SessionIssuer, type BegunSession } from './session-issuer.js'
import type { OpenSession, Session } from './sessions.dto.js'

/** A device proves that it holds one of its registered keys, and gets a session. */
@Injectable()
export class Login {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    private readonly challenges: Challenges,
    private readonly issuer: SessionIssuer,
    private readonly events: Events,
  ) {}

  /**
   * The proof is checked under the presented key before anyone looks whether it is registered: whatever is wrong, it takes
   * the same work and gives the same answer.
   * @param bound thumbprint of the key that the session is bound to
   */
  async open({ client, nonce, public_key: publicKey, proof }: OpenSession, bound: string | undefined): Promise<Session> {
    const [key] = (await this.challenges.proven({ purpose: 'login', client, nonce }, [{ publicKey, proof }])) ?? []
    if (key === undefined) throw new LoginRefused()
    const begun = await transaction(this.pool, (sql) => this.begin(sql, client, nonce, key, bound))
    sessionOpened(this.events)
    return this.issuer.issue(begun)
  }

  private async begin(sql: Sql, client: string, nonce: Uint8Array, key: SignatureKey, bound: string | undefined): Promise<BegunSession> {
    if (!(await consumeChallenge(sql, nonce, client))) throw new LoginRefused()
    const userId = (await resolveClients(sql, [client])).get(client)?.userId
    if (userId === undefined || !(await lockAccount(sql, userId))) throw new LoginRefused()
    const device = await deviceWithKey(sql, userId, client, key.publicKey)
    if (device === undefined) throw new LoginRefused()
    return this.issuer.begin(sql, { ...device, userId, client, key: bound })
  }
}
