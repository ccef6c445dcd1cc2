import { expect, it } from '@jest/globals'
import { isGrease, lists, listsAll } from './grease.js'

it('GREASE is 0x0A0A, 0x1A1A and so on to 0xEAEA, and no other value', () => {
  const expected = Array.from({ length: 15 }, (_, nibble) => (16 * nibble + 10) * 0x0101)
  expect(Array.from({ length: 0x10000 }, (_, value) => value).filter(isGrease)).toEqual(expected)
  expect([expected[0], expected[14]]).toEqual([0x0a0a, 0xeaea])
})

it('a list of capabilities says nothing by GREASE', () => {
  expect([lists([1, 0x0a0a], 1), lists([1, 0x0a0a], 0x0a0a), lists([1], 2)]).toEqual([true, false, false])
})

it.each([3, 30])('a list of capabilities says %i things at once as it says them singly', (count) => {
  const capabilities = [...Array(count).keys(), 0x0a0a]
  const values = [...Array(count).keys()]
  expect(listsAll(capabilities, values)).toBe(true)
  expect(listsAll(capabilities, [...values, 0x0a0a])).toBe(false)
  expect(listsAll(capabilities, [...values, count])).toBe(false)
})
