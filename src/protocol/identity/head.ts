import { decodeWhole } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { readVersion, RIGHTS, text, VERSION } from './entry.js'
import { hashAt, lastNumber, signerAt, type DeviceList } from './device-list.js'
import { MAX_AHEAD } from './list.js'
import { broken, valid, type Checked } from './rules.js'
import { verifiedBy } from './signatures.js'

/** Label of the signature on a head, for `SignWithLabel` of RFC 9420 §5.1.2. */
export const HEAD_LABEL = 'MicroChat Device List Head'

const MAX_VALIDITY = 30n * 86_400n

/** DeviceListHeadTBS of docs/identity.md §3. Times in seconds since 1970. */
export interface HeadContent {
  readonly user: string
  readonly number: number
  readonly hash: Uint8Array
  readonly issuedAt: bigint
  readonly expiresAt: bigint
  readonly signer: number
}

/** DeviceListHeadTBS, the bytes to be signed with `HEAD_LABEL`. */
export function encodeHeadContent({ user, number, hash, issuedAt, expiresAt, signer }: HeadContent): Uint8Array {
  return new TlsWriter()
    .uint8(VERSION)
    .opaque(Buffer.from(user, 'utf8'))
    .uint32(number)
    .opaque(hash)
    .uint64(issuedAt)
    .uint64(expiresAt)
    .uint32(signer)
    .written()
}

/** A whole DeviceListHead. */
export function encodeHead(content: Uint8Array, signature: Uint8Array): Uint8Array {
  return new TlsWriter().raw(content).opaque(signature).written()
}

/**
 * Reads a head and checks it by the rules of docs/identity.md §3. Whether it has expired is for the caller to ask.
 * @param now seconds since 1970
 */
export async function checkHead(list: DeviceList, bytes: Uint8Array, now: bigint): Promise<Checked<HeadContent>> {
  const decoded = decodeWhole(bytes, (reader) => {
    readVersion(reader)
    const content: HeadContent = {
      user: text(reader.opaque()),
      number: reader.uint32(),
      hash: reader.opaque(),
      issuedAt: reader.uint64(),
      expiresAt: reader.uint64(),
      signer: reader.uint32(),
    }
    return { content, signed: reader.since(0), signature: reader.opaque() }
  })
  if (decoded.kind === 'malformed') return broken('head-encoding')
  const { content, signed, signature } = decoded.value
  if (content.user !== list.user) return broken('head-user')
  if (content.number !== lastNumber(list) || Buffer.compare(content.hash, hashAt(list, content.number) ?? new Uint8Array()) !== 0)
    return broken('head-entry')
  if (!isValidPeriod(content, list.time) || content.issuedAt > now + MAX_AHEAD) return broken('head-validity')
  const signer = signerAt(list, content.signer, content.issuedAt)
  if (signer === undefined) return broken('head-signer')
  if ((signer.rights & RIGHTS.attest) === 0) return broken('head-right')
  return (await verifiedBy(signer, HEAD_LABEL, signed, signature)) ? valid(content) : broken('head-signature')
}

function isValidPeriod({ issuedAt, expiresAt }: HeadContent, lastEntry: bigint): boolean {
  return issuedAt >= lastEntry && issuedAt < expiresAt && expiresAt - issuedAt <= MAX_VALIDITY
}
