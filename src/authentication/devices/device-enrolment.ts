import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { KeyTaken, NameTaken, ProofRefused, TooMany } from '../authentication.problems.js'
import type { NewSignatureKey } from '../challenges/challenges.dto.js'
import { Challenges } from '../challenges/challenges.js'
import { consumeChallenge } from '../challenges/challenges.repository.js'
import { assertUsableKeys } from '../challenges/new-keys.js'
import { countActiveDevices, insertDevice } from './devices.repository.js'
import { insertSignatureKey, type NewKey } from './signature-keys.repository.js'

interface Enrolment {
  readonly client: string
  readonly nonce: Uint8Array
  readonly signature_keys: readonly NewSignatureKey[]
}

interface ProvenDevice {
  readonly client: string
  readonly keys: readonly NewKey[]
}

/** How keys and devices get in: proven outside a transaction (signatures cost CPU), then written within one. */
@Injectable()
export class DeviceEnrolment {
  constructor(
    private readonly challenges: Challenges,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_DEVICES_PER_ACCOUNT'>,
  ) {}

  /** @throws InvalidRequest for keys that are none, ProofRefused for ones without a valid proof */
  async prove({ client, nonce, signature_keys: given }: Enrolment): Promise<ProvenDevice> {
    assertUsableKeys(given)
    const proven = await this.challenges.proven(
      client,
      nonce,
      given.map((key) => ({ publicKey: key.public_key, proof: key.proof })),
    )
    if (proven === undefined) throw new ProofRefused()
    return { client, keys: proven.map((key, index) => ({ ...key, validUntil: given[index]?.valid_until })) }
  }

  async consume(sql: Sql, { client, nonce }: Enrolment): Promise<void> {
    if (!(await consumeChallenge(sql, nonce, client))) throw new ProofRefused()
  }

  /** With the account's lock held, or the account new. */
  async enrol(sql: Sql, accountId: bigint, { client, keys }: ProvenDevice): Promise<bigint> {
    const limit = this.config.MAX_DEVICES_PER_ACCOUNT
    if ((await countActiveDevices(sql, accountId)) >= limit) throw new TooMany('devices', limit)
    const deviceId = await insertDevice(sql, accountId, client)
    if (deviceId === undefined) throw new NameTaken()
    // In one order everywhere: two registrations that share two keys would wait for each other otherwise.
    for (const key of keys.toSorted((a, b) => Buffer.compare(a.publicKey, b.publicKey))) {
      if ((await insertSignatureKey(sql, deviceId, key)) === undefined) throw new KeyTaken()
    }
    return deviceId
  }
}
