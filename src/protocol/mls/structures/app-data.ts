import { decodeWhole, Malformed, type Decoded, type TlsReader } from '../../tls/reader.js'
import { TlsWriter } from '../../tls/writer.js'

const MAX_COMPONENTS = 1024

/** draft-ietf-mls-extensions: application data that all members of a group agree on, by component. */
export interface ComponentData {
  readonly component: number
  readonly data: Uint8Array
}

/** A proposal of draft-ietf-mls-extensions to change or remove one component's data in the app_data_dictionary. */
export interface AppDataUpdate {
  readonly kind: 'app-data-update'
  readonly component: number
  /** What the component's own logic makes the new data of; undefined if the data is removed. */
  readonly update: Uint8Array | undefined
}

/** A proposal of draft-ietf-mls-extensions that carries data for one component and leaves no trace in the group. */
export interface AppEphemeral {
  readonly kind: 'app-ephemeral'
  readonly component: number
  readonly data: Uint8Array
}

/** Decodes the data of an app_data_dictionary extension, which is sorted by component and has each once. Never throws. */
export function decodeAppDataDictionary(extensionData: Uint8Array): Decoded<ComponentData[]> {
  return decodeWhole(extensionData, (reader) => {
    const entries = reader.vector(MAX_COMPONENTS, (item) => ({ component: item.uint16(), data: item.opaque() }))
    const sorted = entries.every(({ component }, at) => at === 0 || component > (entries[at - 1]?.component ?? 0))
    if (!sorted) throw new Malformed('the components are not in increasing order')
    return entries
  })
}

/** The data of an app_data_dictionary extension; the entries must be sorted by component already. */
export function encodeAppDataDictionary(entries: readonly ComponentData[]): Uint8Array {
  return new TlsWriter().vector(entries, (item, { component, data }) => item.uint16(component).opaque(data)).written()
}

/** AppDataUpdate of draft-ietf-mls-extensions, after its proposal type. @throws Malformed for an operation other than update and remove */
export function readAppDataUpdate(reader: TlsReader): AppDataUpdate {
  const component = reader.uint16()
  const operation = reader.uint8()
  if (operation !== 1 && operation !== 2) throw new Malformed(`AppDataUpdate operation ${operation} is unknown`)
  return { kind: 'app-data-update', component, update: operation === 1 ? reader.opaque() : undefined }
}

/** AppEphemeral of draft-ietf-mls-extensions, after its proposal type. @throws Malformed */
export function readAppEphemeral(reader: TlsReader): AppEphemeral {
  return { kind: 'app-ephemeral', component: reader.uint16(), data: reader.opaque() }
}
