import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { userOf } from '../../groups/policy/uris.js'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { InvalidRequest, Problem } from '../../platform/http/problem.js'
import { Limits } from '../../platform/limits/limits.js'
import { Events } from '../../platform/observability/events.js'
import { POOL, transaction } from '../../platform/postgres/sql.js'
import { encodeConsentEntry, type ConsentEntry } from '../../protocol/mimi/consent.js'
import { consentDecided, consentRequested } from '../federation.events.js'
import { providerOf } from '../inbound/peer.js'
import { peerProblem } from '../peer-problems.js'
import { SignedClient } from '../outbound/signed-client.js'
import type { ConsentList, DecideConsent, RequestConsent } from './consent.dto.js'
import {
  cancelRequest,
  consentsAskedBy,
  consentsGivenBy,
  decide,
  lockUserConsents,
  markTold,
  noteRequest,
  readStanding,
  type ConsentScope,
} from './consents.repository.js'

class TooManyConsents extends Problem {
  constructor(what: string) {
    super(409, 'too-many-consents', `Too many ${what}.`)
  }
}

/** Requests of one of our users that nobody has answered. */
const MOST_OPEN = 100
/** Decisions of one of our users. */
const MOST_DECIDED = 10_000
const LISTED = 1_000
const PER_MINUTE = { name: 'consents-by', points: 60, seconds: 60 }

type Operation = ConsentEntry['operation']

/** Known: of this provider, with consent, or in a group here with the target; stranger: allowed only because nobody has said no. */
export type Standing = 'known' | 'stranger' | 'refused'

/** Who may have KeyPackages of whom, as users have decided (draft-ietf-mimi-protocol-06, Convey explicit consent). */
@Injectable()
export class Consents {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN' | 'CONSENT'>,
    private readonly client: SignedClient,
    private readonly limits: Limits,
    private readonly events: Events,
  ) {}

  /**
   * What a requester of any provider is to a target here that it wants KeyPackages of. For targets elsewhere their providers decide.
   * A requester of another provider without the target's consent is refused in the same way by users who do not exist and by those who do not
   * want to be found.
   * @param room the room that they are for, if any
   */
  async standing(requester: string, target: string, room = ''): Promise<Standing> {
    if (requester === target || providerOf(target) !== this.config.DOMAIN) return 'known'
    const { granted, revoked, found, meets } = await readStanding(this.pool, { requester, target, room })
    if (revoked) return 'refused'
    if (granted) return 'known'
    if (this.config.CONSENT === 'explicit') return 'refused'
    if (meets || !this.isAbroad(requester)) return 'known'
    return found ? 'stranger' : 'refused'
  }

  /** Whether it may have them at all: see `standing`. */
  async allows(requester: string, target: string, room = ''): Promise<boolean> {
    return (await this.standing(requester, target, room)) !== 'refused'
  }

  async list(user: string): Promise<ConsentList> {
    const [given, asked] = await Promise.all([consentsGivenBy(this.pool, user, LISTED), consentsAskedBy(this.pool, user, LISTED)])
    return {
      given: given.map(({ requester, room, state, changedAt }) => ({ requester, ...inRoom(room), state, changed_at: changedAt })),
      asked: asked.map(({ target, room, state }) => ({ target, ...inRoom(room), state })),
    }
  }

  /** A target here decides. The requester's provider learns of a grant, and of a revocation only if the target wants it to. */
  async decide(target: string, reference: string, { state, room = '', tell }: DecideConsent): Promise<{ told: boolean }> {
    const requester = await this.other(target, reference)
    const scope = { target, requester, room }
    const toTell = state === 'granted' || tell
    const abroad = this.isAbroad(requester)
    const kept = await transaction(this.pool, async (sql) => {
      await lockUserConsents(sql, target)
      return decide(sql, scope, state, toTell && !abroad, MOST_DECIDED)
    })
    if (!kept) throw new TooManyConsents('decisions on consent')
    consentDecided(this.events, state, abroad)
    if (!toTell || !abroad) return { told: toTell }
    const answer = await this.send(requester, state === 'granted' ? 'grant' : 'revoke', scope)
    if (!wasTaken(answer)) return { told: false }
    await markTold(this.pool, scope, state)
    return { told: true }
  }

  /** A requester here asks. Whether the target exists shows nowhere. */
  async request(requester: string, { target: reference, room = '' }: RequestConsent): Promise<void> {
    const target = await this.other(requester, reference)
    const scope = { target, requester, room }
    const elsewhere = this.isAbroad(target)
    const kept = await transaction(this.pool, async (sql) => {
      await lockUserConsents(sql, requester)
      return noteRequest(sql, scope, { by: 'requester', most: MOST_OPEN, elsewhere })
    })
    if (!kept) throw new TooManyConsents('requests for consent are open')
    if (elsewhere) await this.sendOrRefuse(target, 'request', scope)
    consentRequested(this.events, elsewhere)
  }

  /** The target's provider is asked first: once the row is gone, nobody would know that there was anything to take back. */
  async cancel(requester: string, reference: string, room = ''): Promise<void> {
    const target = await this.other(requester, reference)
    const scope = { target, requester, room }
    if (this.isAbroad(target)) await this.sendOrRefuse(target, 'cancel', scope)
    await cancelRequest(this.pool, scope)
  }

  /** The other user, by name or URI; each of these calls counts. */
  private async other(user: string, reference: string): Promise<string> {
    const other = userOf(this.config.DOMAIN, reference)
    if (other === user) throw new InvalidRequest('Consent is between two users.')
    await this.limits.take(PER_MINUTE, user)
    return other
  }

  private isAbroad(user: string): boolean {
    return providerOf(user) !== this.config.DOMAIN
  }

  private async sendOrRefuse(user: string, operation: Operation, scope: ConsentScope): Promise<void> {
    const answer = await this.send(user, operation, scope)
    if (!wasTaken(answer)) throw peerProblem(answer)
  }

  /** To the provider of `user`. A grant brings no KeyPackages along: those are handed out for a room, over its hub. */
  private send(user: string, operation: Operation, { target, requester, room }: ConsentScope) {
    const peer = providerOf(user) ?? ''
    const endpoint = operation === 'grant' || operation === 'revoke' ? 'updateConsent' : 'requestConsent'
    const body = encodeConsentEntry({ operation, requester, target, roomId: room || undefined, keyPackages: [] })
    return this.client.send({ peer, endpoint, argument: peer, body })
  }
}

function wasTaken(answer: Awaited<ReturnType<SignedClient['send']>>): boolean {
  return answer.kind === 'answered' && answer.status >= 200 && answer.status < 300
}

function inRoom(room: string): { room?: string } {
  return room === '' ? {} : { room }
}
