import type { TlsReader } from '../../tls/reader.js'
import { readExtensions, type Extension } from './extension.js'
import { readGroupContext, type GroupContext } from './group-context.js'

/** RFC 9420 §12.4.3. */
export interface GroupInfo {
  readonly groupContext: GroupContext
  readonly extensions: readonly Extension[]
  readonly confirmationTag: Uint8Array
  /** Leaf index of the member that signed. */
  readonly signer: number
  readonly signature: Uint8Array
  /** GroupInfoTBS: the encoding without the signature. */
  readonly tbs: Uint8Array
}

export function readGroupInfo(reader: TlsReader): GroupInfo {
  const start = reader.position
  const fields = {
    groupContext: readGroupContext(reader),
    extensions: readExtensions(reader),
    confirmationTag: reader.opaque(),
    signer: reader.uint32(),
  }
  return { ...fields, tbs: reader.since(start), signature: reader.opaque() }
}
