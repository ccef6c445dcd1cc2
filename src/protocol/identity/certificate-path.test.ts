import { describe, expect, it } from '@jest/globals'
import { ListMaker, listKey, privateKey } from '../../../test/support/identity.js'
import { CERTIFICATE_PATH_EXTENSION, checkCertificatePath, encodeCertificatePath } from './certificate-path.js'
import { RIGHTS } from './entry.js'
import { isGrease } from '../mls/grease.js'

const USER = 'mimi://example.com/u/alice'
const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'

async function world() {
  const maker = await ListMaker.begin(USER)
  const phone = await maker.certify(maker.root, PHONE, privateKey())
  const laptop = await maker.certify(phone, LAPTOP, privateKey())
  const { scheme, publicKey: signatureKey } = listKey(laptop.key)
  return { maker, phone, laptop, leaf: { client: LAPTOP, scheme, signatureKey }, now: maker.time }
}

describe('a certificate path', () => {
  it('leads from the identity key to the leaf', async () => {
    const { maker, laptop, leaf, now } = await world()
    const checked = await checkCertificatePath(maker.path(laptop.number), leaf, now)
    expect(checked).toMatchObject({ kind: 'valid', value: { entry: { number: 3 }, certificate: { subject: LAPTOP } } })
  })

  it('is refused in another leaf', async () => {
    const { maker, phone, laptop, leaf, now } = await world()
    const path = maker.path(laptop.number)
    for (const other of [
      { ...leaf, client: PHONE },
      { ...leaf, signatureKey: listKey(phone.key).publicKey },
      { ...leaf, scheme: 0x0403 },
    ]) {
      await expect(checkCertificatePath(path, other, now)).resolves.toEqual({ kind: 'broken', rule: 'device-certificate-leaf' })
    }
    const bob = { ...leaf, client: 'mimi://example.com/d/bob/laptop' }
    await expect(checkCertificatePath(path, bob, now)).resolves.toEqual({ kind: 'broken', rule: 'device-certificate' })
  })

  it('is refused before and after its time', async () => {
    const { maker, laptop, leaf, now } = await world()
    for (const at of [now - 86_401n, now + 301n * 86_400n]) {
      await expect(checkCertificatePath(maker.path(laptop.number), leaf, at)).resolves.toMatchObject({ rule: 'device-certificate-leaf' })
    }
  })

  it('is refused with an entry left out, out of order, or of an issuer without the right', async () => {
    const { maker, laptop, leaf, now } = await world()
    const [first, phone, own] = maker.entries as [Uint8Array, Uint8Array, Uint8Array]
    const tablet = await maker.certify(laptop, `${LAPTOP}2`, privateKey(), { rights: RIGHTS.attest })
    const ghost = await maker.certify(tablet, `${LAPTOP}3`, privateKey())
    const ghostLeaf = { client: `${LAPTOP}3`, scheme: 0x0807, signatureKey: listKey(ghost.key).publicKey }
    const broken = { kind: 'broken', rule: 'device-certificate' }
    for (const entries of [[], [first, own], [phone, own], [own], [first, own, phone, own], [first, phone, phone, own]]) {
      await expect(checkCertificatePath(encodeCertificatePath(entries), leaf, now)).resolves.toEqual(broken)
    }
    await expect(checkCertificatePath(maker.path(ghost.number), ghostLeaf, now)).resolves.toEqual(broken)
  })

  it('is refused if one signature is not right', async () => {
    const { maker, laptop, leaf, now } = await world()
    for (const at of [0, 1, 2]) {
      const entries = maker.entries.map((entry) => entry.slice())
      const spoilt = entries[at]
      if (spoilt) spoilt[spoilt.length - 1] = (spoilt.at(-1) ?? 0) ^ 1
      const answer = await checkCertificatePath(encodeCertificatePath(entries), leaf, now)
      expect(answer).toEqual({ kind: 'broken', rule: 'device-certificate' })
    }
    expect(laptop.number).toBe(3)
  })
})

it('has a type that is no GREASE value', () => {
  expect(isGrease(CERTIFICATE_PATH_EXTENSION)).toBe(false)
})
