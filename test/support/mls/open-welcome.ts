import { readGroupInfo, type GroupInfo } from '../../../src/protocol/mls/structures/group-info.js'
import { TlsReader } from '../../../src/protocol/tls/reader.js'
import { TlsWriter } from '../../../src/protocol/tls/writer.js'
import { keyPackageRef } from '../../../src/protocol/mls/hashes.js'
import { expand, extract, openAead, openBase, uint16 } from './hpke.js'
import { SUITES, type Suite } from './suite.js'

const EMPTY = new Uint8Array()

export interface Invitation {
  readonly cipherSuite: number
  /** A KeyPackage, not its MLSMessage. */
  readonly keyPackage: Uint8Array
  readonly initPrivateKey: Uint8Array
  /** A Welcome, as an MLSMessage. */
  readonly welcome: Uint8Array
  readonly psks: readonly { readonly id: Uint8Array; readonly psk: Uint8Array }[]
}

/**
 * Opens a Welcome with its recipient's keys (RFC 9420 §12.4.3.1) for the GroupInfo inside: what only a client can do. Tests
 * use it to seed the server's state at the start of an official vector's history.
 */
export function openWelcome(invitation: Invitation): GroupInfo {
  const suite = SUITES.get(invitation.cipherSuite) as Suite
  const { secret, encryptedGroupInfo } = readSealed(invitation)
  const info = new TlsWriter().opaque(Buffer.from('MLS 1.0 Welcome')).opaque(encryptedGroupInfo).written()
  const secrets = new TlsReader(openBase(suite, invitation.initPrivateKey, secret.kemOutput, info, secret.ciphertext))
  const joinerSecret = secrets.opaque()
  secrets.optional((reader) => reader.opaque())
  const psks = secrets.vector(64, readPskId)

  const member = extract(suite.hash, joinerSecret, pskSecret(suite, psks, invitation))
  const welcomeSecret = expandWithLabel(suite, member, 'welcome', EMPTY, suite.hashBytes)
  const key = expandWithLabel(suite, welcomeSecret, 'key', EMPTY, suite.aead.keyBytes)
  const nonce = expandWithLabel(suite, welcomeSecret, 'nonce', EMPTY, 12)
  return readGroupInfo(new TlsReader(openAead(suite, key, nonce, encryptedGroupInfo)))
}

interface PskId {
  readonly bytes: Uint8Array
  readonly id: Uint8Array
}

function readSealed({ cipherSuite, keyPackage, welcome }: Invitation) {
  const reader = new TlsReader(welcome)
  reader.uint32() // version and wire format
  reader.uint16() // cipher suite
  const ref = Buffer.from(keyPackageRef(cipherSuite, keyPackage) ?? EMPTY)
  const secrets = reader.vector(1000, (item) => ({ newMember: item.opaque(), kemOutput: item.opaque(), ciphertext: item.opaque() }))
  const secret = secrets.find(({ newMember }) => ref.equals(newMember))
  if (secret === undefined) throw new Error('the Welcome is for someone else')
  return { secret, encryptedGroupInfo: reader.opaque() }
}

/** An external PreSharedKeyID (RFC 9420 §8.4): the vectors use no other kind. */
function readPskId(reader: TlsReader): PskId {
  const start = reader.position
  reader.uint8()
  const id = reader.opaque()
  reader.opaque()
  return { id, bytes: reader.since(start) }
}

/** RFC 9420 §8.4. */
function pskSecret(suite: Suite, ids: readonly PskId[], { psks }: Invitation): Uint8Array {
  let secret: Uint8Array = new Uint8Array(suite.hashBytes)
  for (const [index, { id, bytes }] of ids.entries()) {
    const psk = psks.find((known) => Buffer.from(known.id).equals(id))?.psk ?? EMPTY
    const extracted = extract(suite.hash, new Uint8Array(suite.hashBytes), psk)
    const label = new TlsWriter().raw(bytes).uint16(index).uint16(ids.length).written()
    const input = expandWithLabel(suite, extracted, 'derived psk', label, suite.hashBytes)
    secret = extract(suite.hash, input, secret)
  }
  return secret
}

/** RFC 9420 §8. */
function expandWithLabel(suite: Suite, secret: Uint8Array, label: string, context: Uint8Array, length: number): Buffer {
  const info = new TlsWriter()
    .raw(uint16(length))
    .opaque(Buffer.from(`MLS 1.0 ${label}`))
    .opaque(context)
    .written()
  return expand(suite.hash, secret, info, length)
}
