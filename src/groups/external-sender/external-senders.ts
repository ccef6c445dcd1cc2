import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Inject, Injectable } from '@nestjs/common'
import type { Pool } from 'pg'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { POOL } from '../../platform/postgres/sql.js'
import { Secrets } from '../../platform/secrets.js'
import { sameBytes } from '../../protocol/bytes.js'
import { decodeExternalSenders, encodeExternalRemoveProposal } from '../../protocol/mls/external-senders.js'
import { SCHEME_OF_SUITE, SIGNATURE_SCHEMES, signaturePublicKey } from '../../protocol/mls/signature.js'
import { EXTENSION_TYPES, extensionData } from '../../protocol/mls/structures/extension.js'
import type { GroupContext } from '../../protocol/mls/structures/group-info.js'
import { memberNamed, type PublicGroupState } from '../../protocol/public-group/state.js'
import { sha256 } from '../../protocol/sha256.js'
import type { PendingRemoval } from '../removal/removal.repository.js'
import type { Followup } from '../repository/submissions.repository.js'
import { insertExternalSenderKey, readExternalSenderKeys } from './external-sender.repository.js'

/** The purpose for which `Secrets` seals the private keys. */
export const EXTERNAL_SENDER_PURPOSE = 'external sender key'

interface SenderKey {
  publicKey: Uint8Array
  privateKey: KeyObject
}

/**
 * This server as an external sender of the groups that list it: by these keys it proposes Removes of devices that leave
 * or were revoked, and nothing else. One key per signature scheme, made once for all nodes.
 */
@Injectable()
export class ExternalSenders {
  private loaded: Promise<ReadonlyMap<number, SenderKey>> | undefined

  constructor(
    @Inject(POOL) private readonly pool: Pool,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
    private readonly secrets: Secrets,
  ) {}

  /** The identity in the credential of all keys: the domain stands for itself. */
  get identity(): string {
    return `mimi://${this.config.DOMAIN}`
  }

  /** The keys by TLS SignatureScheme. */
  keys(): Promise<ReadonlyMap<number, SenderKey>> {
    this.loaded ??= this.load().catch((error: unknown) => {
      this.loaded = undefined
      throw error
    })
    return this.loaded
  }

  /** The key of this server that a group lists, if it lists one. */
  async listedIn(context: GroupContext): Promise<ReadonlyMap<number, SenderKey> | undefined> {
    const scheme = SCHEME_OF_SUITE.get(context.cipherSuite) ?? 0
    const own = (await this.keys()).get(scheme)
    return own && (await this.indexIn(context)) !== undefined ? new Map([[scheme, own]]) : undefined
  }

  /** Which of the group's external senders is this server; undefined if it is none. */
  async indexIn(context: GroupContext): Promise<number | undefined> {
    const data = extensionData(context.extensions, EXTENSION_TYPES.externalSenders)
    const senders = data && decodeExternalSenders(data)
    const own = (await this.keys()).get(SCHEME_OF_SUITE.get(context.cipherSuite) ?? 0)
    if (senders?.kind !== 'decoded' || !own) return undefined
    const index = senders.value.findIndex(({ signatureKey }) => sameBytes(signatureKey, own.publicKey))
    return index < 0 ? undefined : index
  }

  /** A Remove of this leaf for the context's epoch, as an MLSMessage; undefined if the group does not list this server. */
  async proposeRemove(context: GroupContext, leafIndex: number): Promise<Uint8Array | undefined> {
    const senderIndex = await this.indexIn(context)
    const own = (await this.keys()).get(SCHEME_OF_SUITE.get(context.cipherSuite) ?? 0)
    if (senderIndex === undefined || !own) return undefined
    return encodeExternalRemoveProposal(
      { groupId: context.groupId, epoch: context.epoch, senderIndex, removedLeaf: leafIndex },
      own.privateKey,
    )
  }

  private async load(): Promise<ReadonlyMap<number, SenderKey>> {
    const schemes = Object.values(SIGNATURE_SCHEMES)
    const found = new Set((await readExternalSenderKeys(this.pool)).map(({ scheme }) => scheme))
    for (const scheme of schemes) if (!found.has(scheme)) await this.make(scheme)
    const stored = await readExternalSenderKeys(this.pool)
    return new Map(
      stored.map((key) => [
        key.scheme,
        {
          publicKey: key.publicKey,
          privateKey: createPrivateKey({
            key: Buffer.from(this.secrets.open(EXTERNAL_SENDER_PURPOSE, key.sealedPrivate)),
            format: 'der',
            type: 'pkcs8',
          }),
        },
      ]),
    )
  }

  private async make(scheme: number): Promise<void> {
    const privateKey = generateKey(scheme)
    const sealedPrivate = this.secrets.seal(EXTERNAL_SENDER_PURPOSE, privateKey.export({ format: 'der', type: 'pkcs8' }))
    await insertExternalSenderKey(this.pool, { scheme, publicKey: signaturePublicKey(privateKey), sealedPrivate })
  }
}

function generateKey(scheme: number): KeyObject {
  switch (scheme) {
    case SIGNATURE_SCHEMES.ed25519:
      return generateKeyPairSync('ed25519').privateKey
    case SIGNATURE_SCHEMES.ed448:
      return generateKeyPairSync('ed448').privateKey
    case SIGNATURE_SCHEMES.ecdsaP256Sha256:
      return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
    case SIGNATURE_SCHEMES.ecdsaP384Sha384:
      return generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey
    default:
      return generateKeyPairSync('ec', { namedCurve: 'secp521r1' }).privateKey
  }
}

/** Signs a Remove for the epoch of the context; undefined if the group does not take one from this server. */
export type SignRemove = (context: GroupContext, leafIndex: number) => Promise<Uint8Array | undefined>

/**
 * A Proposal dies with its epoch, so a member who is still on the way out after a Commit needs a new Remove, right behind it
 * (§4). `unsigned` are devices for which that is not possible any more.
 */
export async function followupsFor(
  next: PublicGroupState | undefined,
  pending: readonly PendingRemoval[],
  sign: SignRemove,
): Promise<{ followups: Followup[]; unsigned: bigint[] }> {
  const due = pending.filter(({ leafIndex }) => leafIndex !== null)
  if (due.length === 0) return { followups: [], unsigned: [] }
  const followups: Followup[] = []
  const unsigned: bigint[] = []
  for (const { deviceId, client } of due) {
    const leafIndex = next && memberNamed(next, client)?.leafIndex
    const bytes = next === undefined || leafIndex === undefined ? undefined : await sign(next.groupContext, leafIndex)
    if (bytes) followups.push({ deviceId, bytes, hash: sha256(bytes) })
    else unsigned.push(deviceId)
  }
  return { followups, unsigned }
}
