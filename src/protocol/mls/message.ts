import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../tls/reader.js'
import { MLS10, readGroupInfo, type GroupInfo } from './structures/group-info.js'
import { readKeyPackage, type KeyPackage } from './structures/key-package.js'
import { readPrivateMessage, type PrivateMessage } from './structures/private-message.js'
import { readPublicMessage, type PublicMessage } from './structures/public-message.js'
import { readWelcome, type Welcome } from './structures/welcome.js'

interface Framed<WireFormat extends string, Body> {
  readonly wireFormat: WireFormat
  readonly version: number
  /** The whole MLSMessage. */
  readonly bytes: Uint8Array
  readonly body: Body
}

/** RFC 9420 §6. */
export type MlsMessage =
  | Framed<'public-message', PublicMessage>
  | Framed<'private-message', PrivateMessage>
  | Framed<'welcome', Welcome>
  | Framed<'group-info', GroupInfo>
  | Framed<'key-package', KeyPackage>

/** Decodes one MLSMessage and nothing else. Strict (see TlsReader), never throws; byte fields are views of `bytes`. */
export function decodeMessage(bytes: Uint8Array): Decoded<MlsMessage> {
  return decodeWhole(bytes, readMessage)
}

/** Decodes a KeyPackage (RFC 9420 §10) that comes without the framing of an MLSMessage. Strict, never throws. */
export function decodeKeyPackage(bytes: Uint8Array): Decoded<KeyPackage> {
  return decodeWhole(bytes, readKeyPackage)
}

/** Reads an MLSMessage (RFC 9420 §6) that is a part of something larger. @throws Malformed for a version or wire format that is unknown */
export function readMessage(reader: TlsReader): MlsMessage {
  const start = reader.position
  const version = reader.uint16()
  if (version !== MLS10) throw new Malformed(`protocol version ${version} is unknown`)
  const framed = readBody(reader, start)
  return { ...framed, version, bytes: reader.since(start) }
}

type Body<Message = MlsMessage> = Message extends MlsMessage ? Pick<Message, 'wireFormat' | 'body'> : never

function readBody(reader: TlsReader, start: number): Body {
  const wireFormat = reader.uint16()
  switch (wireFormat) {
    case 1:
      return { wireFormat: 'public-message', body: readPublicMessage(reader, start) }
    case 2:
      return { wireFormat: 'private-message', body: readPrivateMessage(reader) }
    case 3:
      return { wireFormat: 'welcome', body: readWelcome(reader) }
    case 4:
      return { wireFormat: 'group-info', body: readGroupInfo(reader) }
    case 5:
      return { wireFormat: 'key-package', body: readFramedKeyPackage(reader) }
    default:
      throw new Malformed(`wire format ${wireFormat} is unknown`)
  }
}

/** The KeyPackage's version must be the MLSMessage's (RFC 9420 §10). */
function readFramedKeyPackage(reader: TlsReader): KeyPackage {
  const keyPackage = readKeyPackage(reader)
  if (keyPackage.version !== MLS10) throw new Malformed('the KeyPackage has another version than its MLSMessage')
  return keyPackage
}
