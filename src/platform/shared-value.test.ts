import { expect, it } from '@jest/globals'
import { SharedValue } from './shared-value.js'

it('a shared value is made once for all who ask at once, and again once it is old or forgotten', async () => {
  let [made, now] = [0, 0]
  const value = new SharedValue(
    1_000,
    async () => ++made,
    () => now,
  )
  expect(await Promise.all([value.get(), value.get(), value.get()])).toEqual([1, 1, 1])
  now = 999
  expect(await value.get()).toBe(1)
  now = 1_000
  expect(await value.get()).toBe(2)
  value.forget()
  expect(await value.get()).toBe(3)
})

it('a failure is shared by those who waited for it, and not kept', async () => {
  let made = 0
  const value = new SharedValue(1_000, async () => {
    if (++made === 1) throw new Error('away')
    return made
  })
  const both = await Promise.allSettled([value.get(), value.get()])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect([await value.get(), made]).toEqual([2, 2])
})
