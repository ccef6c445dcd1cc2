import { decodeWhole, Malformed, type TlsReader } from '../../protocol/tls/reader.js'
import { extensionData, type Extension } from '../../protocol/mls/structures/extension.js'

/** draft-ietf-mls-extensions-09: app_data_dictionary, with a component last_resort_key_package that has no data. */
const APP_DATA_DICTIONARY = 0x0006
const LAST_RESORT_COMPONENT = 0x0004
/** What earlier drafts had instead: an empty extension of its own, which most clients still send. */
const LAST_RESORT_EXTENSION = 0x000a

const MAX_COMPONENTS = 256

export type LastResortMark = 'marked' | 'unmarked' | 'malformed'

/** Whether the extensions of a KeyPackage mark it as one of last resort. A mark with data in it is malformed: it is defined as empty. */
export function lastResortMark(extensions: readonly Extension[]): LastResortMark {
  const legacy = extensionData(extensions, LAST_RESORT_EXTENSION)
  const dictionary = extensionData(extensions, APP_DATA_DICTIONARY)
  const component = dictionary === undefined ? { kind: 'decoded' as const, value: undefined } : decodeWhole(dictionary, readLastResort)
  if (component.kind === 'malformed') return 'malformed'
  const marks = [legacy, component.value].filter((mark) => mark !== undefined)
  if (marks.some((data) => data.length > 0)) return 'malformed'
  return marks.length > 0 ? 'marked' : 'unmarked'
}

/** The data of the component in an AppDataDictionary, whose entries are sorted by component_id and unique. */
function readLastResort(reader: TlsReader): Uint8Array | undefined {
  const components = reader.vector(MAX_COMPONENTS, (item) => ({ id: item.uint16(), data: item.opaque() }))
  components.forEach(({ id }, index) => {
    const before = components[index - 1]
    if (before && before.id >= id) throw new Malformed('the components are not sorted and unique')
  })
  return components.find(({ id }) => id === LAST_RESORT_COMPONENT)?.data
}
