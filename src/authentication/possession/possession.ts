import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { DpopRefused, DpopRequired, DpopStale } from './possession.problems.js'
import { FirstUses } from '../../platform/limits/first-uses.js'
import { checkProof, PROOF_AGE_MS, PROOF_AHEAD_MS, type ProofOutcome, type ProvenRequest } from './dpop-proof.js'

/** For so long a proof can be good. */
const REMEMBERED_MS = PROOF_AGE_MS + PROOF_AHEAD_MS

/**
 * That a caller holds the key that a session is bound to (DPoP, RFC 9449). A key is named by its thumbprint: SHA-256 as in RFC 7638, in
 * base64url.
 */
@Injectable()
export class Possession {
  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'PUBLIC_URL' | 'ACCESS_TOKENS'>,
    private readonly uses: FirstUses,
  ) {}

  /**
   * The key that a proof in the field `DPoP` shows; undefined without such a field.
   * @throws DpopRefused, DpopStale
   */
  async shown(request: ProvenRequest): Promise<string | undefined> {
    const { dpop } = request.headers
    if (dpop === undefined) return undefined
    const { thumbprint, id } = valid(await checkProof(String(dpop), request, { publicUrl: this.config.PUBLIC_URL, now: Date.now() }))
    await this.spend(thumbprint, id)
    return thumbprint
  }

  /** The key that a session that is opened now is bound to; undefined: to none. @throws DpopRequired, DpopRefused, DpopStale */
  async forNewSession(request: ProvenRequest): Promise<string | undefined> {
    return this.binding(await this.shown(request))
  }

  /**
   * The key that a session is bound to from here on; undefined: to none.
   * @param shown what the client has shown
   * @throws DpopRequired if it is to be bound and nothing was shown
   */
  binding(shown: string | undefined): string | undefined {
    switch (this.config.ACCESS_TOKENS) {
      case 'bound':
        if (shown === undefined) throw new DpopRequired()
        return shown
      case 'bearer-allowed':
        return shown
      case 'legacy':
        return undefined
    }
  }

  /**
   * Checks the proof that comes with an access token. `spend` has to follow: it is apart so that other work can be done meanwhile.
   * @param key the one that the token is bound to
   * @returns the name of the proof
   * @throws DpopRefused, DpopStale
   */
  async proven(key: string, proof: string, token: string, request: ProvenRequest): Promise<string> {
    const outcome = await checkProof(proof, request, { publicUrl: this.config.PUBLIC_URL, token, now: Date.now() })
    const { thumbprint, id } = valid(outcome)
    if (thumbprint !== key) throw new DpopRefused('key')
    return id
  }

  /** @throws DpopRefused for a proof that was used before */
  async spend(key: string, id: string): Promise<void> {
    if (!(await this.uses.isFirst(`${key}.${id}`, REMEMBERED_MS))) throw new DpopRefused('replayed')
  }
}

function valid(outcome: ProofOutcome): Extract<ProofOutcome, { kind: 'valid' }> {
  if (outcome.kind === 'stale') throw new DpopStale()
  if (outcome.kind === 'faulty') throw new DpopRefused(outcome.fault)
  return outcome
}
