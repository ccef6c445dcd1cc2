import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../../examples/client/client.js'
import { NoAnswer } from '../../../examples/client/http.js'
import { activeDevice, hashAt } from '../../../examples/client/identity/list.js'
import { decodeEntry, hashOf } from '../../../examples/client/identity/structures.js'
import { useMaliciousServer } from './malicious-server.js'

const evil = useMaliciousServer()

/** The next answer to this device does not arrive. @param arrives whether the request does */
function loseAnswer({ device: { http } }: Client, arrives = true): void {
  const post = http.post.bind(http)
  http.post = async <T>(path: string, ...more: [unknown?, Record<string, string>?]): Promise<T> => {
    http.post = post
    if (arrives) await post<T>(path, ...more)
    throw new NoAnswer('The answer was lost')
  }
}

describe('an entry whose answer was lost', () => {
  it('is in the list once, and is not signed again', async () => {
    const [phone, laptop] = await evil.cast(['alice/phone', 'alice/laptop'])
    const { own, record } = phone.device
    loseAnswer(phone)
    await expect(own.revoke([laptop.uri])).rejects.toThrow(NoAnswer)
    expect(record.signed?.entries).toHaveLength(1)
    await own.revoke([laptop.uri])
    expect(record.signed).toBeUndefined()
    const { list, trouble } = (await phone.device.identities.of(phone.user, { fresh: true }))!
    expect([list.entries.length, trouble, own.unseen()]).toEqual([4, undefined, []])
  })
})

describe.each([
  ['the answer', true],
  ['the request', false],
])('the enrolment of a device of which %s was lost', (_, arrives) => {
  async function lost() {
    const [phone] = await evil.cast(['alice/phone'])
    const tablet = await evil.unknown(phone.user.split('/').at(-1)!, 'tablet')
    loseAnswer(phone, arrives)
    await expect(phone.device.enrol(tablet.device)).rejects.toThrow(NoAnswer)
    const { entries } = phone.device.record.enrolling!
    return { phone, tablet, entry: entries[0]! }
  }

  async function expectInList({ device }: Client, entry: Uint8Array, length: number): Promise<void> {
    const { list, trouble } = (await device.identities.of(device.record.user, { fresh: true }))!
    expect(hashAt(list, 3)).toEqual(hashOf(decodeEntry(entry)))
    expect([list.entries.length, trouble, device.record.enrolling, device.own.unseen()]).toEqual([length, undefined, undefined, []])
  }

  it('goes on with the same entry, and the device logs in', async () => {
    const { phone, tablet, entry } = await lost()
    await phone.device.enrol(tablet.device)
    await expectInList(phone, entry, 3)
    await tablet.device.publishKeyPackages(1)
  })

  it('is finished before another entry is signed', async () => {
    const { phone, tablet, entry } = await lost()
    await phone.device.own.revoke([tablet.uri])
    await expectInList(phone, entry, 4)
    expect(activeDevice(phone.device.own.kept.list, tablet.uri)).toBeUndefined()
  })

  it('is finished before another device is enrolled', async () => {
    const { phone, tablet, entry } = await lost()
    const desk = await evil.unknown(phone.user.split('/').at(-1)!, 'desk')
    await phone.device.enrol(desk.device)
    await expectInList(phone, entry, 4)
    await tablet.device.login()
  })
})
