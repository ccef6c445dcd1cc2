import type { CiphersuiteImpl, GroupInfo } from 'ts-mls'
import { vector } from './tls.js'

/**
 * The external_pub extension (RFC 9420 §12.4.3.2) holds `HPKEPublicKey external_pub`, which is a vector: its length stands before the key.
 * ts-mls 1.6.4 writes and reads the bare key, with which no other implementation can join. These suites put the length there when a
 * GroupInfo is made, and take it away when one is joined by; nothing else of them changes.
 */
export function writingExternalPub(impl: CiphersuiteImpl): CiphersuiteImpl {
  return { ...impl, hpke: { ...impl.hpke, exportPublicKey: async (key) => vector(await impl.hpke.exportPublicKey(key)) } }
}

/** For joining by this GroupInfo. @throws if it has no external_pub, or one that is not a single vector */
export function readingExternalPub(impl: CiphersuiteImpl, { extensions }: GroupInfo): CiphersuiteImpl {
  const data = extensions.find((extension) => extension.extensionType === 'external_pub')?.extensionData
  if (!data) throw new Error('This GroupInfo has no external_pub')
  const key = data.subarray((data[0] ?? 0) < 0x40 ? 1 : 2)
  if (!Buffer.from(vector(key)).equals(data)) throw new Error('The external_pub does not decode')
  return { ...impl, hpke: { ...impl.hpke, importPublicKey: (bytes) => impl.hpke.importPublicKey(bytes === data ? key : bytes) } }
}
