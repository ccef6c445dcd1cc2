import { toHex } from '../../../examples/client/wire.js'
import { BOUNDARIES } from './vector-boundaries.js'
import { BASE, vectorOf, type ListVector } from './vector-format.js'
import { NEARLY_FULL } from './vector-limits.js'
import { ed, p256Key, WrittenList } from './vector-maker.js'
import { AFTER_BASE, base, type Story } from './vector-steps.js'

export async function extended(): Promise<ListVector[]> {
  const { list } = await base()
  return [
    { ...vectorOf(BASE, list, 'valid'), keeps: ['entry-previous', 'entry-first', 'entry-signature'] },
    ...(await told(BASE, base, [...AFTER_BASE, ...BOUNDARIES])),
  ]
}

export async function nearlyFull(): Promise<ListVector[]> {
  const made: ListVector[] = []
  for (const { name, after, make, stories } of NEARLY_FULL) {
    const { list } = await make()
    const before = after === undefined ? 0 : made.find((one) => one.name === after)!.entries.length
    const whole = vectorOf(name, list, 'valid', before)
    made.push(after === undefined ? whole : { ...whole, after }, ...(await told(name, make, stories)))
  }
  return made
}

async function told<P extends { list: WrittenList }>(after: string, make: () => Promise<P>, stories: readonly Story<P>[]) {
  const made: ListVector[] = []
  const before = await make()
  for (const [name, result, step, keeps] of stories) {
    const list = before.list.copy()
    await step({ ...before, list })
    made.push({ ...vectorOf(name, list, result, before.list.entries.length), after, ...(keeps ? { keeps } : {}) })
  }
  return made
}

const ODD = 'mimi://a.example:8443/u/a.l-i_ce'

/** What is wrong from the first entry on, or with the bytes. */
export async function broken(): Promise<ListVector[]> {
  const { list } = await base()
  const first = list.entries[0]!
  const edit = (name: string, result: string, entries: Uint8Array[]) => ({ ...vectorOf(name, list, result), entries: entries.map(toHex) })
  const weak = await WrittenList.begin({ ...ed(1), publicKey: new Uint8Array(32) })
  const forged = await WrittenList.begin({ ...ed(1), publicKey: ed(2).publicKey })
  const [version, signature] = [first.slice(), first.slice()]
  version[0] = 2
  signature[signature.length - 1]! ^= 1
  return [
    edit('a byte more', 'entry-encoding', [new Uint8Array([...first, 0])]),
    edit('a byte less', 'entry-encoding', [first.slice(0, -1)]),
    edit('another version', 'entry-encoding', [version]),
    edit('nothing', 'entry-first', []),
    edit('without its first entry', 'entry-number', list.entries.slice(1)),
    edit('a bent signature', 'entry-signature', [signature]),
    vectorOf('an identity key of small order', weak, 'identity-key'),
    { ...vectorOf('a P-256 identity key', await WrittenList.begin(p256Key(1)), 'valid'), keeps: ['identity-key'] },
    vectorOf('a compressed identity key', await WrittenList.begin(p256Key(1, { compressed: true })), 'identity-key'),
    vectorOf('an identity key of somebody else', forged, 'entry-signature'),
    { ...vectorOf('a user with a port and points', await WrittenList.begin(ed(1), ODD), 'valid'), keeps: ['entry-user'] },
    vectorOf('a user in capitals', await WrittenList.begin(ed(1), 'mimi://a.example/u/Alice'), 'entry-user'),
    { ...vectorOf('asked for another user', list, 'entry-user'), user: 'mimi://a.example/u/bob' },
  ]
}
