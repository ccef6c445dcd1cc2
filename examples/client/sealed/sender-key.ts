import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import { mlsExporter } from 'ts-mls/keySchedule.js'
import type { Group } from '../group.js'
import { suite } from '../mls/suites.js'
import { vector } from '../mls/tls.js'
import { toHex, utf8 } from '../wire.js'

const LABEL = 'microchat sender key v1'
/** PKCS #8 of an Ed25519 key, up to its seed (RFC 8410 §7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface SenderKey {
  readonly epoch: number
  readonly privateKey: KeyObject
  /** Raw. */
  readonly publicKey: Uint8Array
}
interface SenderKeys {
  epoch: number
  keys: { user: string; public_key: Uint8Array }[]
}

/** The key that all members of an epoch have and nobody else: from the exporter (RFC 9420 §8.5), so nothing has to be agreed upon. */
export async function senderKey({ record }: Group): Promise<SenderKey> {
  const { impl } = await suite(record.suite)
  const { exporterSecret } = record.state.keySchedule
  const seed = await mlsExporter(exporterSecret, LABEL, record.state.groupContext.groupId, 32, impl)
  return { epoch: Number(record.state.groupContext.epoch), ...keyPair(seed) }
}

export function keyPair(seed: Uint8Array): Pick<SenderKey, 'privateKey' | 'publicKey'> {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' })
  return { privateKey, publicKey: new Uint8Array(Buffer.from(x, 'base64url')) }
}

/**
 * Tells the hub the key of this epoch, under our name. Do it whenever an epoch begins and nobody has, some random time after; who does
 * it only before a post gives away who posts.
 * @returns users who have published another key: they are wrong or lie, and take nobody's place
 */
export async function publishSenderKey(group: Group, key?: SenderKey): Promise<string[]> {
  const own = key ?? (await senderKey(group))
  const { publicKey } = own
  const path = `${group.path}/sender-keys`
  const known = await group.device.http.get<SenderKeys>(`${path}?epoch=${own.epoch}`)
  const published = known.keys.some(({ public_key }) => toHex(public_key) === toHex(publicKey))
  const { keys } = published
    ? known
    : await group.device.http.post<SenderKeys>(path, { epoch: own.epoch, public_key: publicKey, proof: possession(group, own) })
  return keys.filter(({ public_key }) => toHex(public_key) !== toHex(publicKey)).map(({ user }) => user)
}

function possession(group: Group, { epoch, privateKey, publicKey }: SenderKey): Uint8Array {
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(BigInt(epoch))
  const { user } = group.device.record
  const claim = [vector(utf8(LABEL)), vector(group.record.state.groupContext.groupId), number, vector(utf8(user)), vector(publicKey)]
  return new Uint8Array(sign(null, Buffer.concat(claim), privateKey))
}
