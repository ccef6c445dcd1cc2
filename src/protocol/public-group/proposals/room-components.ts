import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'

/** Components of draft-ietf-mimi-protocol-06, IANA Considerations, whose updates a server can apply. */
const PARTICIPANT_LIST = 0x0022
const ROOM_METADATA = 0x0023

const MOST_PARTICIPANTS = 65_536
const MOST_DESCRIPTIONS = 64

interface Participant {
  readonly user: string
  readonly role: number
}

interface ParticipantListUpdate {
  readonly changed: readonly { readonly index: number; readonly role: number }[]
  readonly removed: readonly number[]
  readonly added: readonly Participant[]
}

/** Whether the server knows the component, and the update is one of it. */
export function isRoomUpdate(component: number, update: Uint8Array): boolean {
  if (component === PARTICIPANT_LIST) return decodeUpdate(update).kind === 'decoded'
  return component === ROOM_METADATA && isRoomMetadata(update)
}

/**
 * What an update makes of the data of its component (draft-ietf-mimi-protocol-06, Participant List and Room Metadata): metadata are replaced; of the list
 * roles change first, then users go, then others come at its end.
 * @param data of the component before; undefined: it has none yet
 * @returns undefined where the update does not fit the data: an index that is not there, or a user twice
 */
export function updatedRoomData(component: number, data: Uint8Array | undefined, update: Uint8Array): Uint8Array | undefined {
  if (component === ROOM_METADATA) return update
  const before = data ? decodeList(data) : { kind: 'decoded' as const, value: [] }
  const change = decodeUpdate(update)
  if (before.kind === 'malformed' || change.kind === 'malformed') return undefined
  const after = changedList(before.value, change.value)
  return after && encodeList(after)
}

function changedList(before: readonly Participant[], { changed, removed, added }: ParticipantListUpdate): Participant[] | undefined {
  const touched = [...changed.map(({ index }) => index), ...removed]
  if (touched.some((index) => index >= before.length)) return undefined
  const users = [...touched.map((index) => before[index]?.user), ...added.map(({ user }) => user)]
  if (new Set(users).size < users.length) return undefined
  const roles = new Map(changed.map(({ index, role }) => [index, role]))
  const gone = new Set(removed)
  const kept = before.flatMap(({ user, role }, index) => (gone.has(index) ? [] : [{ user, role: roles.get(index) ?? role }]))
  const there = new Set(kept.map(({ user }) => user))
  if (added.some(({ user }) => there.has(user)) || kept.length + added.length > MOST_PARTICIPANTS) return undefined
  return [...kept, ...added]
}

function decodeList(data: Uint8Array): Decoded<Participant[]> {
  return decodeWhole(data, (reader) => reader.vector(MOST_PARTICIPANTS, readParticipant))
}

function encodeList(participants: readonly Participant[]): Uint8Array {
  return new TlsWriter().vector(participants, (item, { user, role }) => item.opaque(Buffer.from(user, 'latin1')).uint32(role)).written()
}

function decodeUpdate(update: Uint8Array): Decoded<ParticipantListUpdate> {
  return decodeWhole(update, (reader) => ({
    changed: reader.vector(MOST_PARTICIPANTS, (item) => ({ index: item.uint32(), role: item.uint32() })),
    removed: reader.vector(MOST_PARTICIPANTS, (item) => item.uint32()),
    added: reader.vector(MOST_PARTICIPANTS, readParticipant),
  }))
}

/** Users are compared as bytes: how a URI is written is for those who chose it. */
function readParticipant(reader: TlsReader): Participant {
  return { user: Buffer.from(reader.opaque()).toString('latin1'), role: reader.uint32() }
}

function isRoomMetadata(data: Uint8Array): boolean {
  const read = decodeWhole(data, (reader) => {
    readText(reader) // room_uri
    readText(reader) // room_name
    reader.vector(MOST_DESCRIPTIONS, (item) => [readText(item), readText(item), item.opaque()])
    readText(reader) // room_avatar
    readText(reader) // room_subject
    readText(reader) // room_mood
  })
  return read.kind === 'decoded'
}

/** UTF-8 without NUL. @throws Malformed */
function readText(reader: TlsReader): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(reader.opaque())
    if (!text.includes('\0')) return text
  } catch (error) {
    if (error instanceof Malformed) throw error
  }
  throw new Malformed('a text is not UTF-8 without NUL')
}
