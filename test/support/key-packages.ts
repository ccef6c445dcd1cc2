import {
  ciphersuites,
  defaultCapabilities,
  encode,
  generateKeyPackageWithKey,
  getCiphersuiteImpl,
  keyPackageEncoder,
  makeCustomExtension,
  mlsMessageEncoder,
  protocolVersions,
  wireformats,
  type CiphersuiteImpl,
  type CiphersuiteName,
  type KeyPackage,
} from 'ts-mls-client'
import { decodeKeyPackage } from '../../src/protocol/mls/message.js'
import { signContent } from '../../src/protocol/mls/signature.js'

/** The suites tested throughout: Ed25519 with X25519, and P-256 for both. */
export const SUITES = [1, 2] as const

export interface SignatureKeyPair {
  signKey: Uint8Array
  publicKey: Uint8Array
}

const suites = new Map<number, Promise<CiphersuiteImpl>>()

export function suiteOf(id: number): Promise<CiphersuiteImpl> {
  const name = (Object.keys(ciphersuites) as CiphersuiteName[]).find((candidate) => ciphersuites[candidate] === id)
  if (!name) throw new Error(`ts-mls knows no cipher suite ${id}`)
  const known = suites.get(id) ?? getCiphersuiteImpl(name)
  suites.set(id, known)
  return known
}

export async function newSignatureKey(suite: number): Promise<SignatureKeyPair> {
  return (await suiteOf(suite)).signature.keygen()
}

export const LAST_RESORT_EXTENSION = { type: 0x000a, data: new Uint8Array() }
/** An AppDataDictionary with one entry: component 4, empty. */
export const LAST_RESORT_COMPONENT = { type: 0x0006, data: Uint8Array.of(3, 0, 4, 0) }

export interface KeyPackageOptions {
  client: string
  suite: number
  key: SignatureKeyPair
  /** Seconds from now. */
  from?: number
  until?: number
  extensions?: { type: number; data: Uint8Array }[]
  /** Listed in the leaf's capabilities, besides those of `extensions`. */
  capabilities?: { extensions?: number[]; proposals?: number[] }
}

/** A real KeyPackage of a real client. */
export async function newKeyPackage(options: KeyPackageOptions): Promise<KeyPackage> {
  const { client, suite, key, from = -3600, until = 86_400, extensions = [], capabilities = {} } = options
  const now = Math.floor(Date.now() / 1000)
  const { publicPackage } = await generateKeyPackageWithKey({
    credential: { credentialType: 1, identity: Buffer.from(client) },
    cipherSuite: await suiteOf(suite),
    signatureKeyPair: key,
    lifetime: { notBefore: BigInt(now + from), notAfter: BigInt(now + until) },
    extensions: extensions.map(({ type, data }) => makeCustomExtension({ extensionType: type, extensionData: data })),
    capabilities: {
      ...defaultCapabilities(),
      extensions: [...extensions.map(({ type }) => type), ...(capabilities.extensions ?? [])],
      proposals: capabilities.proposals ?? [],
    },
  })
  return publicPackage
}

/** The KeyPackage as an MLSMessage, as clients upload it. */
export function framed(keyPackage: KeyPackage): Uint8Array {
  return encode(mlsMessageEncoder, { version: protocolVersions.mls10, wireformat: wireformats.mls_key_package, keyPackage })
}

export async function newKeyPackageMessage(options: KeyPackageOptions): Promise<Uint8Array> {
  return framed(await newKeyPackage(options))
}

export async function newKeyPackageMessages(count: number, options: KeyPackageOptions): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: count }, () => newKeyPackageMessage(options)))
}

/** Changes a KeyPackage as no honest client would, and signs leaf and whole again: only the change is wrong with it. */
export async function forge(keyPackage: KeyPackage, key: SignatureKeyPair, change: (draft: KeyPackage) => void): Promise<KeyPackage> {
  const { signature } = await suiteOf(keyPackage.cipherSuite)
  const draft: KeyPackage = { ...keyPackage, leafNode: { ...keyPackage.leafNode } }
  change(draft)
  const decoded = decodeKeyPackage(encode(keyPackageEncoder, draft))
  if (decoded.kind === 'malformed') throw new Error(decoded.reason)
  draft.leafNode.signature = await signature.sign(key.signKey, signContent('LeafNodeTBS', decoded.value.leafNode.unsigned))
  const unsigned = encode(keyPackageEncoder, { ...draft, signature: new Uint8Array() }).subarray(0, -1)
  draft.signature = await signature.sign(key.signKey, signContent('KeyPackageTBS', unsigned))
  return draft
}
