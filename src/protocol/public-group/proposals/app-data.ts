import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { sameBytes } from '../../bytes.js'
import { decodeAppDataDictionary, encodeAppDataDictionary, type AppDataUpdate, type ComponentData } from '../../mls/structures/app-data.js'
import { EXTENSION_TYPES, extensionData, type Extension } from '../../mls/structures/extension.js'
import { PROPOSAL_TYPES } from '../../mls/structures/proposal.js'
import { decodedExtension, replacedExtensions, requirementsOf } from '../rules/group-extensions.js'
import type { SentProposal } from './pending-proposals.js'
import { isRoomUpdate, updatedRoomData } from './room-components.js'

/**
 * Bytes of the data that updates lead from and to. Each Commit carries it on and each node reads it for each, so an update of a few bytes must not be
 * able to make it more and more; without updates a Commit has to bring along what it makes of it.
 */
const MOST_APP_DATA = 65_536

/**
 * AppDataUpdate (draft-ietf-mls-extensions). What an update makes of the data is up to the component, and the server knows those of rooms only: of
 * another it could not say what the GroupContext is afterwards, and so could not follow the group. It can follow a removal.
 */
export function appDataUpdate({ component, update }: AppDataUpdate): BrokenRule | undefined {
  return brokenUnless(update === undefined || isRoomUpdate(component, update), 'app-data-update-component')
}

/** The rules for all AppDataUpdates of a Commit, and for a replacement of extensions together with them. */
export function appDataList(before: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  return (
    appDataUpdateRepeated(proposals) ??
    appDataDictionaryKept(before, proposals) ??
    appDataUpdateAbsent(before, proposals) ??
    appDataUpdateFits(before, proposals)
  )
}

/**
 * Data that is removed is there: after a replacement of the extensions in the same list, as that counts for all other proposals
 * (RFC 9420 §12.3). Judged for the whole list at once, since it may be of thousands, and the dictionary of a thousand entries.
 */
export function appDataUpdateAbsent(before: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  const removed = removedComponents(proposals)
  if (removed.length === 0) return undefined
  const there = new Set(dictionaryOf(replacedExtensions(before, proposals)).map(({ component }) => component))
  return brokenUnless(
    removed.every((component) => there.has(component)),
    'app-data-update-absent',
  )
}

/** An update makes new data of what is there: after a replacement of the extensions in the same list. The group has a dictionary, which it begins with. */
export function appDataUpdateFits(before: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  const extensions = replacedExtensions(before, proposals)
  const updates = updatesIn(proposals).filter(({ update }) => update !== undefined)
  if (updates.length === 0) return undefined
  const size = extensionData(extensions, EXTENSION_TYPES.appDataDictionary)?.length
  const fits = size !== undefined && size <= MOST_APP_DATA && sizeOf(updatedData(extensions, updates)) <= MOST_APP_DATA
  return brokenUnless(fits, 'app-data-update-fits')
}

/** Infinity where an update does not fit. */
function sizeOf(data: ReadonlyMap<number, Uint8Array> | undefined): number {
  return data ? [...data.values()].reduce((sum, { length }) => sum + length, 0) : Number.POSITIVE_INFINITY
}

/** Changes the data of the components that have updates, and removes that of those that are to lose it; the other extensions stay where they are. */
export function applyAppDataUpdates(extensions: readonly Extension[], proposals: readonly SentProposal[]): readonly Extension[] {
  const updates = updatesIn(proposals)
  if (updates.length === 0) return extensions
  const changed = updatedData(extensions, updates) ?? new Map<number, Uint8Array>()
  const kept = dictionaryOf(extensions).filter(({ component }) => updates.every((one) => one.component !== component))
  const fresh = [...changed].map(([component, data]): ComponentData => ({ component, data }))
  const data = encodeAppDataDictionary([...kept, ...fresh].toSorted((one, other) => one.component - other.component))
  return extensions.map((extension) => (extension.type === EXTENSION_TYPES.appDataDictionary ? { ...extension, data } : extension))
}

/** One removal of a component's data, or one update: two updates of a list would name its users by places that the first has moved. */
function appDataUpdateRepeated(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const updates = updatesIn(proposals)
  const times = new Map<number, number>()
  for (const { component } of updates) times.set(component, (times.get(component) ?? 0) + 1)
  const holds = updates.every(({ component }) => times.get(component) === 1)
  return brokenUnless(holds, 'app-data-update-repeated')
}

function appDataDictionaryKept(before: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  if (!requirementsOf(before).proposals.includes(PROPOSAL_TYPES['app-data-update'])) return undefined
  const old = extensionData(before, EXTENSION_TYPES.appDataDictionary)
  const kept = proposals.every(({ proposal }) => {
    if (proposal.kind !== 'group-context-extensions') return true
    const data = extensionData(proposal.extensions, EXTENSION_TYPES.appDataDictionary)
    return data === undefined || old === undefined ? data === old : sameBytes(data, old)
  })
  return brokenUnless(kept, 'app-data-dictionary-kept')
}

/** New data by component; undefined where an update does not fit. */
function updatedData(extensions: readonly Extension[], updates: readonly AppDataUpdate[]): Map<number, Uint8Array> | undefined {
  const before = new Map(dictionaryOf(extensions).map(({ component, data }) => [component, data]))
  const after = new Map<number, Uint8Array>()
  for (const { component, update } of updates) {
    const data = update && updatedRoomData(component, before.get(component), update)
    if (data) after.set(component, data)
    else if (update) return undefined
  }
  return after
}

function removedComponents(proposals: readonly SentProposal[]): number[] {
  return updatesIn(proposals).flatMap(({ component, update }) => (update === undefined ? [component] : []))
}

function updatesIn(proposals: readonly SentProposal[]): AppDataUpdate[] {
  return proposals.flatMap(({ proposal }) => (proposal.kind === 'app-data-update' ? [proposal] : []))
}

function dictionaryOf(extensions: readonly Extension[]): readonly ComponentData[] {
  return decodedExtension(extensions, EXTENSION_TYPES.appDataDictionary, decodeAppDataDictionary) ?? []
}
