import { Inject, Injectable } from '@nestjs/common'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { Hints } from '../../platform/hints/hints.js'
import { Events } from '../../platform/observability/events.js'
import type { Sql } from '../../platform/postgres/sql.js'
import { InvalidRequest } from '../../platform/http/problem.js'
import { canonicalKey, isSoundKey } from '../../protocol/signature-key.js'
import { deviceRegistered } from '../authentication.events.js'
import { KeyTaken, NameTaken, ProofRefused, TooMany } from '../authentication.problems.js'
import type { NewSignatureKey } from '../challenges/challenges.dto.js'
import { Challenges } from '../challenges/challenges.js'
import { consumeChallenge } from '../challenges/challenges.repository.js'
import { CertifiedChanges } from '../device-list/certified-changes.js'
import type { PreparedChange } from '../device-list/device-list-changes.js'
import type { DeviceListUpdate } from '../device-list/device-list.dto.js'
import type { ListState } from '../device-list/device-lists.repository.js'
import { activeSiblings, countActiveDevices, insertDevice } from './devices.repository.js'
import { insertSignatureKey, type NewKey } from './signature-keys.repository.js'

interface Enrolment {
  readonly client: string
  readonly nonce: Uint8Array
  readonly signature_keys: readonly NewSignatureKey[]
  readonly device_list?: DeviceListUpdate | undefined
}

interface ProvenDevice {
  readonly client: string
  readonly keys: readonly NewKey[]
  /** What certifies it, and them. */
  readonly change: PreparedChange | undefined
}

export interface EnrolledDevice {
  readonly deviceId: bigint
  /** The other devices of the account, which find it in their inboxes (prisma/functions/triggers.sql, tell_siblings). */
  readonly told: readonly bigint[]
}

/** How keys and devices get in: proven outside a transaction (signatures cost CPU), then written within one. */
@Injectable()
export class DeviceEnrolment {
  constructor(
    private readonly challenges: Challenges,
    private readonly hints: Hints,
    private readonly events: Events,
    @Inject(CONFIG) private readonly config: Pick<Config, 'MAX_DEVICES_PER_ACCOUNT'>,
    private readonly lists: CertifiedChanges,
  ) {}

  /**
   * @param purpose what the challenge has to be for; for a registration, entries have to begin an identity
   * @throws InvalidRequest for keys that are none, ProofRefused for ones without a valid proof, InvalidDeviceList
   */
  async prove(
    purpose: 'registration' | 'new-device' | 'new-key',
    { client, nonce, signature_keys: given, device_list: update }: Enrolment,
  ): Promise<ProvenDevice> {
    assertUsableKeys(given)
    const proven = await this.challenges.proven(
      { purpose, client, nonce },
      given.map((key) => ({ publicKey: key.public_key, proof: key.proof })),
    )
    if (proven === undefined) throw new ProofRefused()
    const change = purpose === 'registration' ? await this.lists.prepareFirst(client, update) : undefined
    return { client, change, keys: proven.map((key, index) => ({ ...key, validUntil: given[index]?.valid_until })) }
  }

  async consume(sql: Sql, { client, nonce }: Enrolment): Promise<void> {
    if (!(await consumeChallenge(sql, nonce, client))) throw new ProofRefused()
  }

  /**
   * Call it with the account's lock held, or for a new account; and `announce` after COMMIT.
   * @param former what the account's list was before its identity ended
   */
  async enrol(sql: Sql, accountId: bigint, { client, keys, change }: ProvenDevice, former?: ListState): Promise<EnrolledDevice> {
    const limit = this.config.MAX_DEVICES_PER_ACCOUNT
    if ((await countActiveDevices(sql, accountId)) >= limit) throw new TooMany('devices', limit)
    const deviceId = await insertDevice(sql, accountId, client)
    if (deviceId === undefined) throw new NameTaken()
    // In one order everywhere: two registrations that share two keys would wait for each other otherwise.
    for (const key of keys.toSorted((a, b) => Buffer.compare(a.publicKey, b.publicKey))) {
      if ((await insertSignatureKey(sql, deviceId, key)) === undefined) throw new KeyTaken()
    }
    await this.lists.writeDevice(sql, accountId, change, { whole: deviceId, former })
    return { deviceId, told: await activeSiblings(sql, [deviceId]) }
  }

  /** The other devices of the account look into their inboxes at once. */
  announce({ told }: EnrolledDevice, { keys }: Pick<ProvenDevice, 'keys'>): void {
    deviceRegistered(this.events, keys.length)
    this.hints.publish(told.map((deviceId) => ({ kind: 'inbox', deviceId })))
  }
}

/** What is wrong with new keys by themselves, before anybody's proof is looked at. */
export function assertUsableKeys(keys: readonly NewSignatureKey[]): void {
  const seen = new Set<string>()
  const errors = keys.flatMap((key, index) => {
    const found = complaint(key, seen)
    return found === undefined ? [] : [{ path: `signature_keys.${index}.${found.member}`, message: found.message }]
  })
  if (errors.length > 0) throw new InvalidRequest('The signature key is not valid for its scheme.', errors)
}

function complaint(given: NewSignatureKey, seen: Set<string>): { member: keyof NewSignatureKey; message: string } | undefined {
  const key = canonicalKey(given.public_key)
  if (key === undefined || key.scheme !== given.scheme || !isSoundKey(key)) {
    return { member: 'public_key', message: 'Not a public key of this scheme' }
  }
  if (given.valid_until !== undefined && given.valid_until.getTime() <= Date.now()) {
    return { member: 'valid_until', message: 'In the past' }
  }
  const spelling = Buffer.from(key.publicKey).toString('hex')
  if (seen.has(spelling)) return { member: 'public_key', message: 'The same key twice' }
  seen.add(spelling)
  return undefined
}
