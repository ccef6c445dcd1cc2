import { describe, expect, it } from '@jest/globals'
import { createHook } from 'node:async_hooks'
import { generateKeyPairSync } from 'node:crypto'
import { ListMaker, listKey, privateKey, seconds, type Holder } from '../../../test/support/mls/device-lists.js'
import { RIGHTS } from './entry.js'
import { checkHead } from './head.js'
import { activeCertificates, certificateOf, lastNumber, signerAt, type DeviceList } from './device-list.js'
import { extendList } from './list.js'
import type { IdentityRule } from './rules.js'

const USER = 'mimi://example.com/u/alice'
const PHONE = 'mimi://example.com/d/alice/phone'
const LAPTOP = 'mimi://example.com/d/alice/laptop'
const DAY = 86_400n
const NOW = seconds()

async function list(maker: ListMaker, user = USER): Promise<DeviceList> {
  const checked = await extendList(user, undefined, maker.entries, NOW)
  if (checked.kind === 'broken') throw new Error(checked.rule)
  return checked.value
}

async function begun(): Promise<{ maker: ListMaker; phone: Holder }> {
  const maker = await ListMaker.begin(USER)
  return { maker, phone: await maker.certify(maker.root, PHONE, privateKey()) }
}

describe('a device list', () => {
  it('says which devices are certified, replaced and revoked', async () => {
    const { maker, phone } = await begun()
    const laptop = await maker.certify(phone, LAPTOP, privateKey())
    const renewed = await maker.certify(phone, PHONE, phone.key)
    await maker.revoke(laptop, laptop.number)
    const read = await list(maker)
    expect(activeCertificates(read).map(({ number }) => number)).toEqual([renewed.number])
    expect(read.certificates.get(phone.number)?.end).toEqual({ by: 'replacement', number: renewed.number, time: maker.time })
    expect(certificateOf(read, LAPTOP)).toBeUndefined()
    expect(lastNumber(read)).toBe(5)
  })

  it('can be read in parts', async () => {
    const { maker } = await begun()
    const first = await list(maker)
    await maker.certify(maker.root, LAPTOP, privateKey())
    const next = await extendList(USER, first, maker.entries.slice(2), NOW)
    expect(next).toMatchObject({ kind: 'valid', value: { identity: first.identity } })
    expect(next.kind === 'valid' && lastNumber(next.value)).toBe(3)
  })

  it('takes a P-256 identity key', async () => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const maker = await ListMaker.begin(USER, key)
    await maker.certify(maker.root, PHONE, privateKey())
    expect(lastNumber(await list(maker))).toBe(2)
  })

  it('is verified by a recovery key that a device enrolled', async () => {
    const { maker, phone } = await begun()
    const paper = privateKey()
    await maker.append(phone, {
      type: 'certificate',
      certificate: await maker.certificate('', [paper], {
        kind: 'recovery-key',
        rights: RIGHTS.enrol,
        notAfter: maker.time + 3_000n * DAY,
      }),
    })
    await maker.certify({ number: 3, key: paper }, LAPTOP, privateKey())
    expect(certificateOf(await list(maker), LAPTOP)).toMatchObject({ number: 4, signer: 3 })
  })
})

describe('a revocation with since', () => {
  const numbers = async (maker: ListMaker) => activeCertificates(await list(maker)).map(({ number }) => number)

  it('ends what the revoked device has certified since then, also by others in between', async () => {
    const { maker, phone } = await begun()
    const laptop = await maker.certify(phone, LAPTOP, privateKey())
    const ghost = await maker.certify(phone, `${LAPTOP}2`, privateKey())
    await maker.certify(ghost, `${LAPTOP}3`, privateKey())
    await maker.revoke(laptop, phone.number, ghost.number)
    expect(await numbers(maker)).toEqual([laptop.number])
  })

  it('leaves what the device certified before, with what that has signed: the device that revokes is not its own victim', async () => {
    const { maker, phone } = await begun()
    const laptop = await maker.certify(phone, LAPTOP, privateKey())
    const theft = maker.number + 1
    await maker.certify(phone, `${LAPTOP}2`, privateKey())
    const renewed = await maker.certify(laptop, LAPTOP, laptop.key)
    const tablet = await maker.certify(renewed, `${LAPTOP}3`, privateKey())
    await maker.revoke(renewed, phone.number, theft)
    expect(await numbers(maker)).toEqual([renewed.number, tablet.number])
  })

  it('reaches what the device certified before a thief renewed its certificate', async () => {
    const { maker, phone } = await begun()
    const laptop = await maker.certify(phone, LAPTOP, privateKey())
    const ghost = await maker.certify(phone, `${LAPTOP}2`, privateKey())
    const once = await maker.certify(phone, PHONE, phone.key)
    await maker.certify(once, `${LAPTOP}3`, privateKey())
    const twice = await maker.certify(once, PHONE, phone.key)
    await maker.revoke(laptop, twice.number, ghost.number)
    expect(await numbers(maker)).toEqual([laptop.number])
  })
})

it('takes certificates by devices up to entry 864, by the identity key up to 960, and then revocations', async () => {
  const { maker, phone } = await begun()
  let last = phone
  for (let number = 3; number <= 864; number++) last = await maker.certify(last, PHONE, last.key)
  const refuses = async (signer: Holder) => {
    const more = await maker.make(signer, { type: 'certificate', certificate: await maker.certificate(LAPTOP, [privateKey()]) })
    await expect(extendList(USER, await list(maker), [more], NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-number' })
  }
  await refuses(last)
  while (maker.number < 960) {
    const { number } = await maker.certify(maker.root, `${LAPTOP}${maker.number}`, privateKey())
    if (maker.number < 960) await maker.revoke(last, number)
  }
  await refuses(maker.root)
  await maker.revoke(maker.root, last.number)
  expect(activeCertificates(await list(maker))).toEqual([])
})

describe('what an entry costs', () => {
  /** Signatures that were checked in the thread pool meanwhile. */
  async function checks(work: () => Promise<unknown>): Promise<number> {
    let count = 0
    const hook = createHook({ init: (_id, type) => void (count += type === 'SIGNREQUEST' ? 1 : 0) }).enable()
    await work()
    hook.disable()
    return count
  }
  const sixteen = () => Array.from({ length: 16 }, () => privateKey())

  it('is a signature, and one for each key; of a list that is known nothing', async () => {
    const { maker } = await begun()
    const known = await list(maker)
    for (let device = 0; device < 8; device++) {
      const certificate = await maker.certificate(`${LAPTOP}${device}`, sixteen())
      await maker.append(maker.root, { type: 'certificate', certificate })
    }
    expect(await checks(() => extendList(USER, known, maker.entries.slice(2), NOW))).toBe(8 * 17)
  })

  it('is one signature for an entry by nobody, however many keys it has', async () => {
    const { maker, phone } = await begun()
    const known = await list(maker)
    const certificate = await maker.certificate(LAPTOP, sixteen())
    const forged = await maker.make({ number: phone.number, key: privateKey() }, { type: 'certificate', certificate })
    expect(await checks(() => extendList(USER, known, [forged], NOW))).toBe(1)
  })

  it('is no signature for an entry that breaks another rule', async () => {
    const { maker, phone } = await begun()
    const known = await list(maker)
    const late = await maker.make(phone, { type: 'revocation', revocation: { revoked: 2, since: 0 } }, { time: NOW + 2n * DAY })
    expect(await checks(() => extendList(USER, known, [late], NOW))).toBe(0)
  })
})

it('lets a device replace a certificate that is over, for a while', async () => {
  const maker = await ListMaker.begin(USER, privateKey(), NOW - 300n * DAY)
  const phone = await maker.certify(maker.root, PHONE, privateKey(), { notAfter: maker.time + 5n })
  maker.time += 89n * DAY
  await maker.certify(phone, PHONE, phone.key)
  expect(certificateOf(await list(maker), PHONE)?.number).toBe(3)
})

it('keeps keys of schemes that it does not know, and lets none of them sign', async () => {
  const { maker, phone } = await begun()
  const { keys } = await maker.certificate(LAPTOP, [privateKey()])
  const unknown = { scheme: 0x0a0b, publicKey: Buffer.from('some'), possession: Buffer.alloc(0) }
  await maker.certify(phone, LAPTOP, privateKey(), { keys: [...keys, unknown] })
  expect(certificateOf(await list(maker), LAPTOP)?.keys).toHaveLength(2)
})

describe('a head', () => {
  it('is taken from an active device, and from nobody else', async () => {
    const { maker, phone } = await begun()
    const tablet = await maker.certify(phone, LAPTOP, privateKey(), { rights: RIGHTS.enrol })
    const read = await list(maker)
    await expect(checkHead(read, await maker.head(phone), NOW)).resolves.toMatchObject({ kind: 'valid', value: { number: 3, signer: 2 } })
    const cases: [IdentityRule, Uint8Array][] = [
      ['head-encoding', Buffer.concat([await maker.head(phone), Buffer.of(1)])],
      ['head-user', await maker.head(phone, { user: 'mimi://example.com/u/bob' })],
      ['head-entry', await maker.head(phone, { number: 2 })],
      ['head-entry', await maker.head(phone, { hash: new Uint8Array(32) })],
      ['head-validity', await maker.head(phone, { expiresAt: maker.time + 31n * DAY })],
      ['head-validity', await maker.head(phone, { issuedAt: maker.time - 1n })],
      ['head-validity', await maker.head(phone, { issuedAt: NOW + 2n * DAY, expiresAt: NOW + 3n * DAY })],
      ['head-signer', await maker.head({ number: 7, key: phone.key })],
      ['head-right', await maker.head(tablet)],
      ['head-signature', await maker.head({ number: phone.number, key: tablet.key })],
    ]
    for (const [rule, bytes] of cases) await expect(checkHead(read, bytes, NOW)).resolves.toEqual({ kind: 'broken', rule })
  })

  it('is no entry, though the same key signed it', async () => {
    const { maker, phone } = await begun()
    maker.entries.push(await maker.head(phone))
    await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-encoding' })
  })
})

it('signs with its first key only, and not as another kind of signer', async () => {
  const { maker, phone } = await begun()
  const [first, second] = [privateKey(), privateKey()]
  const { keys } = await maker.certificate(LAPTOP, [first, second])
  await maker.certify(phone, LAPTOP, first, { keys })
  await maker.certify({ number: 3, key: second }, `${LAPTOP}2`, privateKey())
  await expect(extendList(USER, undefined, maker.entries, NOW)).resolves.toEqual({ kind: 'broken', rule: 'entry-signature' })
  maker.entries.pop()
  expect(signerAt(await list(maker), 3, maker.time)?.key).toMatchObject(listKey(first))
})
