import { decodeWhole } from '../tls/reader.js'
import { TlsWriter } from '../tls/writer.js'
import { RIGHTS, text } from './entry.js'
import { signerAt, type DeviceList } from './list.js'
import { broken, valid, type Checked } from './rules.js'
import { verifiedBy } from './signatures.js'

/** Label of the signature on a head, for `SignWithLabel` of RFC 9420 §5.1.2. */
export const HEAD_LABEL = 'MicroChat Device List Head'

const MAX_VALIDITY = 60n * 86_400n

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

/** Reads a head and checks it by the rules of docs/identity.md §3. Whether it has expired is for the caller to ask. */
export async function checkHead(list: DeviceList, bytes: Uint8Array): Promise<Checked<HeadContent>> {
  const decoded = decodeWhole(bytes, (reader) => {
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
  if (content.number !== list.number || Buffer.compare(content.hash, list.hash) !== 0) return broken('head-entry')
  if (!isValidPeriod(content, list.time)) return broken('head-validity')
  const signer = signerAt(list, content.signer, content.issuedAt)
  if (signer === undefined) return broken('head-signer')
  if ((signer.rights & RIGHTS.attest) === 0) return broken('head-right')
  return (await verifiedBy(signer, HEAD_LABEL, signed, signature)) ? valid(content) : broken('head-signature')
}

function isValidPeriod({ issuedAt, expiresAt }: HeadContent, lastEntry: bigint): boolean {
  return issuedAt >= lastEntry && issuedAt < expiresAt && expiresAt - issuedAt <= MAX_VALIDITY
}
