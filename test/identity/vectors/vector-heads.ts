import { signLabelled } from '../../../examples/client/identity/keys.js'
import { DAY, HEAD_LABEL } from '../../../examples/client/identity/list.js'
import type { Author } from '../../../examples/client/identity/making.js'
import { encodeHeadContent, RIGHTS, withSignature, type HeadContent } from '../../../examples/client/identity/structures.js'
import { toHex } from '../../../examples/client/wire.js'
import type { IdentityRule } from '../../../src/protocol/identity/rules.js'
import { BASE, vectorOf, type HeadOrderVector, type ListVector } from './vector-format.js'
import { client, ed, NOW, type WrittenList } from './vector-maker.js'
import { base } from './vector-steps.js'

type HeadCase = readonly [name: string, result: string, head: Uint8Array, keeps?: readonly IdentityRule[]]

export async function heads(): Promise<ListVector[]> {
  const { list, phone, laptop, recovery, root } = await base()
  const make = async (wish: Partial<HeadContent>, by: Author = phone) => {
    const { user, number, hash } = list.end
    const content = encodeHeadContent({ user, number, hash, issuedAt: NOW, expiresAt: NOW + 14n * DAY, signer: by.number, ...wish })
    return withSignature(content, await signLabelled(by.key, HEAD_LABEL, content))
  }
  const right = await make({})
  const cases: HeadCase[] = [
    ['a head by a device', 'valid', right, ['head-encoding', 'head-user', 'head-entry', 'head-signature']],
    ['a head by the identity key', 'valid', await make({}, root)],
    ['a head with something after it', 'head-encoding', new Uint8Array([...right, 0])],
    ['a head of another user', 'head-user', await make({ user: 'mimi://a.example/u/bob' })],
    ['a head of fewer entries', 'head-entry', await make({ number: 4 })],
    ['a head of another entry', 'head-entry', await make({ hash: list.identity })],
    ['a head from before the last entry', 'head-validity', await make({ issuedAt: NOW - 1n })],
    ['a head from the future', 'head-validity', await make({ issuedAt: NOW + DAY + 1n, expiresAt: NOW + 3n * DAY })],
    ['a head for too long', 'head-validity', await make({ expiresAt: NOW + 30n * DAY + 1n })],
    ['a head a day ahead', 'valid', await make({ issuedAt: NOW + DAY, expiresAt: NOW + 3n * DAY }), ['head-validity']],
    ['a head for 30 days', 'valid', await make({ expiresAt: NOW + 30n * DAY }), ['head-validity']],
    ['a head for a second', 'valid', await make({ expiresAt: NOW + 1n }), ['head-validity']],
    ['a head for no time', 'head-validity', await make({ expiresAt: NOW })],
    ['a head by nobody', 'head-signer', await make({ signer: 99 })],
    ['a head by a device that may not', 'head-right', await make({}, laptop)],
    ['a head by the recovery key', 'head-right', await make({}, recovery)],
    ['a head by another key', 'head-signature', await make({}, { ...phone, key: ed(9) })],
  ]
  const shown = ([name, result, head, keeps]: HeadCase, of = list) => ({
    ...vectorOf(name, of, result, list.entries.length),
    after: BASE,
    head: toHex(head),
    ...(keeps ? { keeps } : {}),
  })
  return [...cases.map((one) => shown(one)), ...(await byPassingSigners(shown))]
}

export async function headOrder(): Promise<HeadOrderVector[]> {
  const { list, phone, laptop } = await base()
  const before = list.copy()
  await list.revoke(phone, laptop.number)
  const head = async ({ end: { user, number, hash } }: WrittenList, issuedAt: bigint) => {
    const content = encodeHeadContent({ user, number, hash, issuedAt, expiresAt: issuedAt + 14n * DAY, signer: phone.number })
    return toHex(withSignature(content, await signLabelled(phone.key, HEAD_LABEL, content)))
  }
  const of = { list: 'a device is revoked', now: Number(NOW) }
  const [longer, same] = [
    { ...of, kept_entries: 5, shown: await head(list, NOW) },
    { ...of, kept_entries: 6, shown: await head(list, NOW + 60n) },
  ]
  return [
    { name: 'of more entries, after a head that was dated ahead', ...longer, kept: await head(before, NOW + 290n), result: 'shown' },
    { name: 'of the same entries, issued later', ...same, kept: await head(list, NOW + 59n), result: 'shown' },
    { name: 'of the same entries, issued before', ...same, kept: await head(list, NOW + 61n), result: 'kept' },
  ]
}

/** Heads by a device that may only attest, at and after its last second, and when it has ended. */
async function byPassingSigners(shown: (one: HeadCase, of: WrittenList) => ListVector): Promise<ListVector[]> {
  const { list, phone } = await base()
  const key = ed(6)
  const number = await list.certify(phone, [key], { subject: client('new'), rights: RIGHTS.attest, notAfter: list.now + 60n })
  const ended = list.copy()
  await ended.revoke(phone, number)
  const make = ({ end: { user, number: last, hash } }: WrittenList, issuedAt: bigint) => {
    const content = encodeHeadContent({ user, number: last, hash, issuedAt, expiresAt: issuedAt + DAY, signer: number })
    return signLabelled(key, HEAD_LABEL, content).then((signature) => withSignature(content, signature))
  }
  return [
    shown(['a head by a device at its last second', 'valid', await make(list, NOW + 60n), ['head-signer', 'head-right']], list),
    shown(['a head by a device a second later', 'head-signer', await make(list, NOW + 61n)], list),
    shown(['a head by a device that has ended', 'head-signer', await make(ended, NOW)], ended),
  ]
}
