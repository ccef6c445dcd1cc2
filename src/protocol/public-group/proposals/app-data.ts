import { brokenUnless, type BrokenRule } from '../../mls/rules.js'
import { sameBytes } from '../../bytes.js'
import { decodeAppDataDictionary, encodeAppDataDictionary, type AppDataUpdate, type ComponentData } from '../../mls/structures/app-data.js'
import { EXTENSION_TYPES, extensionData, type Extension } from '../../mls/structures/extension.js'
import { PROPOSAL_TYPES } from '../../mls/structures/proposal.js'
import { decodedExtension, replacedExtensions, requirementsOf } from '../rules/group-extensions.js'
import type { SentProposal } from './pending-proposals.js'

/**
 * AppDataUpdate (draft-ietf-mls-extensions). What an update makes of the data is up to the component, and the server knows no
 * component: it could not say what the GroupContext is afterwards, and so could not follow the group. It can follow a removal.
 */
export function appDataUpdate({ update }: AppDataUpdate): BrokenRule | undefined {
  return brokenUnless(update === undefined, 'app-data-update-component')
}

/** The rules for all AppDataUpdates of a Commit, and for a replacement of extensions together with them. */
export function appDataList(before: readonly Extension[], proposals: readonly SentProposal[]): BrokenRule | undefined {
  return appDataUpdateRepeated(proposals) ?? appDataDictionaryKept(before, proposals) ?? appDataUpdateAbsent(before, proposals)
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

/** Removes the data of the components that are to lose it; the other extensions stay where they are. */
export function applyAppDataUpdates(extensions: readonly Extension[], proposals: readonly SentProposal[]): readonly Extension[] {
  const removed = new Set(removedComponents(proposals))
  if (removed.size === 0) return extensions
  const data = encodeAppDataDictionary(dictionaryOf(extensions).filter(({ component }) => !removed.has(component)))
  return extensions.map((extension) => (extension.type === EXTENSION_TYPES.appDataDictionary ? { ...extension, data } : extension))
}

/** One removal of a component's data, or any number of updates. */
function appDataUpdateRepeated(proposals: readonly SentProposal[]): BrokenRule | undefined {
  const updates = updatesIn(proposals)
  const times = new Map<number, number>()
  for (const { component } of updates) times.set(component, (times.get(component) ?? 0) + 1)
  const holds = updates.every(({ component, update }) => update !== undefined || times.get(component) === 1)
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

function removedComponents(proposals: readonly SentProposal[]): number[] {
  return updatesIn(proposals).flatMap(({ component, update }) => (update === undefined ? [component] : []))
}

function updatesIn(proposals: readonly SentProposal[]): AppDataUpdate[] {
  return proposals.flatMap(({ proposal }) => (proposal.kind === 'app-data-update' ? [proposal] : []))
}

function dictionaryOf(extensions: readonly Extension[]): readonly ComponentData[] {
  return decodedExtension(extensions, EXTENSION_TYPES.appDataDictionary, decodeAppDataDictionary) ?? []
}
