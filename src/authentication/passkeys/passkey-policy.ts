import { readFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import type { Sql } from '../../platform/postgres/sql.js'
import type { Certified } from '../../protocol/identity/device-list.js'
import { passkeyChallenge } from '../../protocol/identity/signatures.js'
import { signContent } from '../../protocol/mls/signature.js'
import { InvalidDeviceList } from '../authentication.problems.js'
import { Challenges } from '../challenges/challenges.js'
import { consumeChallenge } from '../challenges/challenges.repository.js'
import type { PasskeyAttestation } from '../device-list/device-list.dto.js'
import { isAttested, type TrustedAuthenticators } from './attestation.js'

/** The challenge that an attestation answered, to be spent with the change. */
export interface AnsweredChallenge {
  readonly client: string
  readonly nonce: Uint8Array
}

type Settings = Pick<Config, 'PASSKEY_RP_IDS' | 'PASSKEY_ATTESTATION' | 'PASSKEY_ATTESTATION_ROOTS' | 'PASSKEY_AAGUIDS'>

/** Which passkeys the operator lets into device lists (docs/identity.md §2). */
@Injectable()
export class PasskeyPolicy {
  private readonly trusted: TrustedAuthenticators | undefined

  constructor(
    @Inject(CONFIG) private readonly config: Settings,
    private readonly challenges: Challenges,
  ) {
    const { PASSKEY_ATTESTATION_ROOTS: file, PASSKEY_AAGUIDS: aaguids } = config
    this.trusted = file === undefined ? undefined : { roots: certificatesIn(file), aaguids }
  }

  /**
   * @param added certificates of a change that breaks no rule by itself
   * @param client that sends it; undefined: it answers no challenge
   * @throws InvalidDeviceList
   */
  async admit(
    added: readonly Certified[],
    given: PasskeyAttestation | undefined,
    client: string | undefined,
  ): Promise<AnsweredChallenge | undefined> {
    const passkeys = added.filter(({ kind }) => kind === 'passkey')
    const { PASSKEY_RP_IDS: allowed, PASSKEY_ATTESTATION: attestation } = this.config
    if (allowed !== undefined && !passkeys.every(({ subject }) => allowed.includes(subject))) throw new InvalidDeviceList('passkey-rp-id')
    if (given === undefined && (attestation === 'none' || passkeys.length === 0)) return undefined
    const [passkey, more] = passkeys
    if (given === undefined || client === undefined || passkey === undefined || more !== undefined)
      throw new InvalidDeviceList('passkey-attestation')
    const { nonce } = given
    const asked = await this.challenges.asked({ purpose: 'new-passkey', client, nonce })
    const challenge = asked && passkeyChallenge(signContent(asked.label, asked.content))
    if (challenge === undefined || !(await isAttested(given, passkey, challenge, this.trusted)))
      throw new InvalidDeviceList('passkey-attestation')
    return { client, nonce }
  }

  /** In the transaction that writes the change. No other one locks this challenge and waits for an account then. @throws InvalidDeviceList if it was spent */
  async spend(sql: Sql, { client, nonce }: AnsweredChallenge): Promise<void> {
    if (!(await consumeChallenge(sql, nonce, client))) throw new InvalidDeviceList('passkey-attestation')
  }
}

/** @throws if the file has none, so that the server does not start */
function certificatesIn(file: string): X509Certificate[] {
  const blocks = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('The file of PASSKEY_ATTESTATION_ROOTS has no certificate in PEM.')
  return blocks.map((block) => new X509Certificate(block))
}
