import { expect, test } from '@jest/globals'
import { Pressure, type Load, type Priority } from './pressure.js'

const PRIORITIES: readonly Priority[] = ['anonymous', 'read', 'post', 'last']

function refusedUnder(...loads: Load[]): Priority[] {
  const pressure = new Pressure(100)
  for (const load of loads) pressure.note(load)
  return PRIORITIES.filter((priority) => pressure.refuses(priority))
}
const three = (load: Load) => [load, load, load]

test.each<[string, Load, Priority[]]>([
  ['a quiet process', { delayMs: 5, heap: 0.3 }, []],
  ['a delay past the limit', { delayMs: 101, heap: 0.3 }, ['anonymous']],
  ['twice the limit', { delayMs: 201, heap: 0.3 }, ['anonymous', 'read']],
  ['four times the limit', { delayMs: 401, heap: 0.3 }, ['anonymous', 'read', 'post']],
  ['a heap of 86 %', { delayMs: 1, heap: 0.86 }, ['anonymous']],
  ['a heap of 91 %', { delayMs: 1, heap: 0.91 }, ['anonymous', 'read']],
  ['a heap of 96 %', { delayMs: 1, heap: 0.96 }, ['anonymous', 'read', 'post']],
])('%s, three samples long', (_name, load, refused) => {
  expect(refusedUnder(...three(load))).toEqual(refused)
})

test('one long pause is no overload, and an overload ends with one good sample', () => {
  const busy = { delayMs: 5_000, heap: 0.99 }
  const quiet = { delayMs: 1, heap: 0.1 }
  expect(refusedUnder(busy)).toEqual([])
  expect(refusedUnder(quiet, busy, busy)).toEqual([])
  expect(refusedUnder(...three(busy), quiet)).toEqual([])
})
