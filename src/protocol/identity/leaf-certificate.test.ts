import { describe, expect, it } from '@jest/globals'
import { ListMaker, listKey, privateKey, seconds } from '../../../test/support/mls/device-lists.js'
import type { DeviceList } from './device-list.js'
import { certificateOfLeaf, checkLeafCertificate, encodeLeafCertificate, LEAF_CERTIFICATE_EXTENSION } from './leaf-certificate.js'
import { extendList } from './list.js'
import { isGrease } from '../mls/grease.js'

const USER = 'mimi://example.com/u/alice'
const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const DAY = 86_400n
const NOW = seconds()

async function read(maker: ListMaker, entries = maker.entries): Promise<DeviceList> {
  const checked = await extendList(maker.user, undefined, entries, NOW)
  if (checked.kind === 'broken') throw new Error(checked.rule)
  return checked.value
}

async function world() {
  const maker = await ListMaker.begin(USER)
  const phone = await maker.certify(maker.root, PHONE, privateKey())
  const laptop = await maker.certify(phone, LAPTOP, privateKey())
  const { scheme, publicKey: signatureKey } = listKey(laptop.key)
  return { maker, phone, laptop, leaf: { client: LAPTOP, scheme, signatureKey } }
}

describe('the certificate in a leaf', () => {
  it('is one of the list', async () => {
    const { maker, laptop, leaf } = await world()
    const checked = checkLeafCertificate(await read(maker), maker.leafCertificate(laptop.number), leaf, NOW)
    expect(checked).toMatchObject({ kind: 'valid', value: { certificate: { number: 3 }, listIsBehind: false } })
    expect(certificateOfLeaf(await read(maker), leaf, NOW)?.number).toBe(3)
  })

  it('is refused in another leaf', async () => {
    const { maker, phone, laptop, leaf } = await world()
    const [list, data] = [await read(maker), maker.leafCertificate(laptop.number)]
    for (const wish of [{ client: PHONE }, { signatureKey: listKey(phone.key).publicKey }, { scheme: 0x0403 }]) {
      const other = { ...leaf, ...wish }
      expect(checkLeafCertificate(list, data, other, NOW)).toEqual({ kind: 'broken', rule: 'device-certificate-leaf' })
      expect(certificateOfLeaf(list, other, NOW)).toBeUndefined()
    }
  })

  it('is refused before and after its time', async () => {
    const { maker, laptop, leaf } = await world()
    const [list, data] = [await read(maker), maker.leafCertificate(laptop.number)]
    for (const at of [NOW - 2n * DAY, NOW + 301n * DAY]) {
      expect(checkLeafCertificate(list, data, leaf, at)).toMatchObject({ rule: 'device-certificate-leaf' })
      expect(certificateOfLeaf(list, leaf, at)).toBeUndefined()
    }
  })

  it('is refused of another identity, of another list and in disorder', async () => {
    const { maker, laptop, leaf } = await world()
    const list = await read(maker)
    const own = maker.entries[2] ?? new Uint8Array()
    const hash = list.hashes[2] ?? new Uint8Array()
    const forged = await ListMaker.begin(USER)
    await forged.certify(forged.root, LAPTOP, privateKey())
    const wrong = [
      forged.leafCertificate(2),
      encodeLeafCertificate(maker.identity, 2, list.hashes[1] ?? hash, own),
      encodeLeafCertificate(maker.identity, 3, list.hashes[1] ?? hash, own),
      encodeLeafCertificate(forged.identity, 3, hash, own),
      encodeLeafCertificate(maker.identity, 3, hash, forged.entries[1] ?? own),
      Buffer.concat([maker.leafCertificate(laptop.number), Buffer.of(0)]),
    ]
    for (const data of wrong) expect(checkLeafCertificate(list, data, leaf, NOW)).toEqual({ kind: 'broken', rule: 'device-certificate' })
  })

  it('is refused once it is revoked, and a while after it was replaced', async () => {
    const { maker, phone, laptop, leaf } = await world()
    const data = maker.leafCertificate(laptop.number)
    const renewed = await maker.certify(laptop, LAPTOP, privateKey())
    const replaced = await read(maker)
    expect(checkLeafCertificate(replaced, data, leaf, maker.time + 7n * DAY)).toMatchObject({ kind: 'valid' })
    const late = maker.time + 7n * DAY + 1n
    expect(checkLeafCertificate(replaced, data, leaf, late)).toEqual({ kind: 'broken', rule: 'device-certificate-current' })
    await maker.revoke(phone, renewed.number)
    const { publicKey: signatureKey } = listKey(renewed.key)
    const answer = checkLeafCertificate(await read(maker), maker.leafCertificate(renewed.number), { ...leaf, signatureKey }, NOW)
    expect(answer).toEqual({ kind: 'broken', rule: 'device-certificate-current' })
  })

  it('tells of entries that are withheld', async () => {
    const { maker, phone, laptop, leaf } = await world()
    await maker.revoke(laptop, phone.number)
    const withheld = await read(maker, maker.entries.slice(0, 3))
    const checked = checkLeafCertificate(withheld, maker.leafCertificate(laptop.number), leaf, NOW)
    expect(checked).toMatchObject({ kind: 'valid', value: { listIsBehind: true } })
  })
})

it('has a type that is no GREASE value', () => {
  expect(isGrease(LEAF_CERTIFICATE_EXTENSION)).toBe(false)
})
