import { Inject, Injectable } from '@nestjs/common'
import { Pool } from 'pg'
import { parseDictionary } from 'structured-headers'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL, type Sql } from '../../platform/postgres/sql.js'
import { sameBytes } from '../../protocol/bytes.js'
import { stepUpContent, stepUpLabel, type StepUpPurpose } from '../../protocol/identity/step-up.js'
import { verifyWithLabel } from '../../protocol/mls/signature.js'
import { canonicalKey } from '../../protocol/signature-key.js'
import { ProofRefused } from '../authentication.problems.js'
import { consumeChallenge, findChallenge } from '../challenges/challenges.repository.js'
import { activeKeys } from '../directory/directory.repository.js'
import type { Caller } from '../session/caller.js'

/** For how long a header is worth reading. */
const MAX_HEADER = 16_384

/** A proof that was verified and not spent yet. */
export interface StepUpProof {
  /** To be called in the transaction that does what the proof is for, before anything else. @throws ProofRefused if somebody was faster */
  spend(sql: Sql): Promise<void>
}

/** What a session alone may not do takes a fresh signature by a key of its device (docs/identity.md §8). */
@Injectable()
export class StepUps {
  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {}

  /**
   * @param header `Step-Up: nonce=:…:, key=:…:, proof=:…:`, byte sequences of RFC 9651
   * @param subject what it is about, for this purpose
   * @throws ProofRefused
   */
  async require(caller: Caller, header: string | undefined, purpose: StepUpPurpose, subject: Uint8Array): Promise<StepUpProof> {
    const { client } = caller
    const given = read(header)
    const key = given && canonicalKey(given.key)
    if (!given || !key) throw new ProofRefused()
    const expiresAt = await findChallenge(this.pool, given.nonce, client)
    if (expiresAt === undefined) throw new ProofRefused()
    const registered = await activeKeys(this.pool, caller.deviceId)
    if (!registered.some(({ publicKey }) => sameBytes(publicKey, key.publicKey))) throw new ProofRefused()
    const seconds = BigInt(Math.floor(expiresAt.getTime() / 1000))
    const content = stepUpContent({ domain: this.config.DOMAIN, client, nonce: given.nonce, expiresAt: seconds, subject })
    if (!(await verifyWithLabel(key.scheme, key.publicKey, stepUpLabel(purpose), content, given.proof))) throw new ProofRefused()
    return {
      spend: async (sql) => {
        if (!(await consumeChallenge(sql, given.nonce, client))) throw new ProofRefused()
      },
    }
  }
}

function read(header: string | undefined): Record<'nonce' | 'key' | 'proof', Uint8Array> | undefined {
  if (header === undefined || header.length > MAX_HEADER) return undefined
  try {
    const dictionary = parseDictionary(header)
    const [nonce, key, proof] = ['nonce', 'key', 'proof'].map((name) => bytesOf(dictionary.get(name)?.[0]))
    return nonce && key && proof ? { nonce, key, proof } : undefined
  } catch {
    return undefined // not a dictionary
  }
}

function bytesOf(value: unknown): Uint8Array | undefined {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined
}
