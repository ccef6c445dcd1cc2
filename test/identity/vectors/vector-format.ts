import { active, readList, type VerifiedList } from '../../../examples/client/identity/list.js'
import { toHex } from '../../../examples/client/wire.js'
import type { IdentityRule } from '../../../src/protocol/identity/rules.js'
import type { WrittenList } from './vector-maker.js'

/** Byte strings are hexadecimal, times are seconds since 1970. */
export interface Vectors {
  lists: ListVector[]
  head_order: HeadOrderVector[]
  leaves: LeafVector[]
  safety_numbers: { users: { user: string; identity: string }[]; safety_number: string }[]
  recovery_words: { words: string; public_key: string }[]
}
export interface ListVector {
  name: string
  /** Whose list it has to be. */
  user: string
  now: number
  /** Name of another list, whose entries come before `entries`. */
  after?: string
  entries: string[]
  head?: string
  /** `valid`, or the name of the rule that is broken. */
  result: string
  identity?: string
  /** Numbers of the entries with certificates that have not ended. */
  active?: number[]
  /** Rules that it only just keeps: one more, one later or one longer breaks them. */
  keeps?: readonly IdentityRule[]
}

/** Two right heads of one list: a client keeps the first of them, and is shown the second with all entries. */
export interface HeadOrderVector {
  name: string
  list: string
  /** How many entries there were at the first one. */
  kept_entries: number
  kept: string
  shown: string
  now: number
  /** Which one counts from then on. */
  result: 'kept' | 'shown'
}
export interface LeafVector {
  name: string
  /** Name of the list that it is read with. */
  list: string
  extension: string
  client: string
  scheme: number
  signature_key: string
  now: number
  result: string
  keeps?: readonly IdentityRule[]
}

/** The list that most others continue. */
export const BASE = 'five holders'

/** @param known entries that another vector has */
export function vectorOf(name: string, list: WrittenList, result: string, known = 0): ListVector {
  const shown = { name, user: list.user, now: Number(list.now), entries: list.entries.slice(known).map(toHex), result }
  if (result !== 'valid') return shown
  const read = reading(list, known)
  return { ...shown, identity: toHex(list.identity), active: active(read).map(({ number }) => number) }
}

/** Lists by the last entry: many continue the same long one. */
const readings = new Map<string, VerifiedList>()

function reading({ entries, now, user }: WrittenList, known: number): VerifiedList {
  const before = readings.get(toHex(entries[known - 1] ?? new Uint8Array()))
  const read = readList(user, before ? entries.slice(known) : entries, now, before)
  readings.set(toHex(entries.at(-1)!), read)
  return read
}
