import { describe, expect, it } from '@jest/globals'
import { Problem } from '../http/problem.js'
import { Admission, type AdmissionSettings, type Admitted } from './admission.js'
import { ACCOUNT_REQUESTS, ADDRESS_UNAUTHENTICATED_IN_FLIGHT, CALLER_BYTES, DEVICE_REQUESTS } from './admission-limits.js'

const MEBIBYTE = 1024 ** 2

function admission(settings: Partial<AdmissionSettings> = {}, refuses = false) {
  const refused: string[] = []
  const tested = new Admission(
    {
      ANONYMOUS_PER_MINUTE: 1_000_000,
      REQUESTS_PER_DEVICE_PER_MINUTE: 1_000_000,
      BYTES_IN_FLIGHT: 128 * MEBIBYTE,
      MAX_BODY_BYTES: 6 * MEBIBYTE,
      ...settings,
    },
    { refuses: (priority) => refuses && priority !== 'last' },
    ({ name }) => refused.push(name),
  )
  return { tested, refused }
}

/** The status that it is refused with, or undefined. */
function statusOf(work: () => unknown): number | undefined {
  try {
    work()
    return undefined
  } catch (problem) {
    if (problem instanceof Problem) return problem.status
    throw problem
  }
}
const times = (count: number, work: (n: number) => Admitted) => Array.from({ length: count }, (_, n) => work(n))

describe('rates', () => {
  it('of an address do not touch another address, a device or the health checks behind it', () => {
    const { tested, refused } = admission({ ANONYMOUS_PER_MINUTE: 60 })
    for (const request of times(10, () => tested.admitAnonymous('a'))) request.release()
    expect(statusOf(() => tested.admitAnonymous('a'))).toBe(429)
    expect(refused).toEqual(['address-anonymous-requests'])
    tested.admitAnonymous('b').release()
    tested.admitOperational('a').release()
    tested.admitDevice({ device: '1', account: '1' }).release()
  })
  it('count requests that are refused before it is known who asks', () => {
    const { tested } = admission({ ANONYMOUS_PER_MINUTE: 60 })
    expect(Array.from({ length: 11 }, () => tested.noteRefusal('a'))).toEqual([...Array<boolean>(10).fill(false), true])
    expect(statusOf(() => tested.admitAnonymous('a'))).toBe(429)
  })
  it('of bodies refuse by the announced length, per account', () => {
    const { tested, refused } = admission()
    const request = tested.admitDevice({ device: '1', account: '1' })
    for (let n = 0; n < 4; n += 1) request.countBody(6 * MEBIBYTE)
    expect(statusOf(() => request.countBody(6 * MEBIBYTE))).toBe(429)
    expect(refused).toEqual(['caller-body-bytes'])
    tested.admitDevice({ device: '2', account: '2' }).countBody(6 * MEBIBYTE)
  })
})

describe('requests in flight', () => {
  it('of a device are bounded, and one that ends makes room', () => {
    const { tested } = admission()
    const [first] = times(DEVICE_REQUESTS.value, () => tested.admitDevice({ device: '1', account: '1' }))
    const another = () => tested.admitDevice({ device: '1', account: '1' })
    expect(statusOf(another)).toBe(429)
    first?.release()
    first?.release() // a second time gives nothing back
    expect(statusOf(another)).toBeUndefined()
    expect(statusOf(another)).toBe(429)
  })
  it('of all devices of an account are bounded together, and a refused one holds nothing of its device', () => {
    const { tested, refused } = admission()
    const held = times(ACCOUNT_REQUESTS.value, (n) => tested.admitDevice({ device: String(n), account: '1' }))
    for (let n = 0; n < 2 * DEVICE_REQUESTS.value; n += 1)
      expect(statusOf(() => tested.admitDevice({ device: 'x', account: '1' }))).toBe(429)
    expect(new Set(refused)).toEqual(new Set([ACCOUNT_REQUESTS.name]))
    for (const request of held) request.release()
    expect(statusOf(() => tested.admitDevice({ device: 'x', account: '1' }))).toBeUndefined()
  })
  it('of an address are bounded for anonymous ones and for peers together, and counted', () => {
    const { tested } = admission()
    times(ADDRESS_UNAUTHENTICATED_IN_FLIGHT.value, (n) => (n % 2 === 0 ? tested.admitAnonymous('a') : tested.admitPeer('a')))
    expect(statusOf(() => tested.admitPeer('a'))).toBe(429)
    tested.admitPeer('b')
    expect(tested.requests).toBe(ADDRESS_UNAUTHENTICATED_IN_FLIGHT.value + 1)
  })
})

describe('bytes in flight', () => {
  it('are bounded for each caller, and all given back when its requests end', () => {
    const { tested } = admission()
    const requests = times(4, () => tested.admitDevice({ device: '1', account: '1' }))
    for (const request of requests) request.takeBodyBytes(CALLER_BYTES.value / 4, CALLER_BYTES.value / 4)
    expect(statusOf(() => requests[0]?.takeBodyBytes(1, 1))).toBe(429)
    for (const request of requests) request.release()
    expect(tested.bytes.total).toBe(0)
  })
  it('leave a quarter of the process to small bodies', () => {
    const { tested } = admission({ BYTES_IN_FLIGHT: 32 * MEBIBYTE })
    const large = times(4, (n) => tested.admitAnonymous(String(n)))
    for (const request of large) request.takeBodyBytes(6 * MEBIBYTE, 6 * MEBIBYTE)
    const late = tested.admitAnonymous('late')
    expect(statusOf(() => late.takeBodyBytes(6 * MEBIBYTE, 6 * MEBIBYTE))).toBe(503)
    expect(statusOf(() => late.takeBodyBytes(50_000, 50_000))).toBeUndefined()
  })
  it('count answers that are not sent yet, also past the cap, against the next requests', () => {
    const { tested } = admission()
    const reader = tested.admitDevice({ device: '1', account: '1' })
    reader.holdAnswer(CALLER_BYTES.value + 1)
    const next = tested.admitDevice({ device: '1', account: '1' })
    expect(statusOf(() => next.takeBodyBytes(1, 1))).toBe(429)
    reader.release()
    reader.holdAnswer(1_000) // it has gone already
    expect(statusOf(() => next.takeBodyBytes(1, 1))).toBeUndefined()
    next.release()
    expect(tested.bytes.total).toBe(0)
  })
})

it('an overloaded process says 503 and counts which kind it gave up, and answers what is never given up', () => {
  const { tested, refused } = admission({}, true)
  expect(statusOf(() => tested.checkPressure('read'))).toBe(503)
  expect(statusOf(() => tested.checkPressure('last'))).toBeUndefined()
  expect(refused).toEqual(['pressure-read'])
})
