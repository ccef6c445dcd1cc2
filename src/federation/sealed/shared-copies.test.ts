import { expect, it } from '@jest/globals'
import { SharedCopies } from './shared-copies.js'

function counted(fetch: (provider: string) => Promise<string>, maxAgeMs = 60_000) {
  const asked: string[] = []
  const copies = new SharedCopies(maxAgeMs, (provider) => {
    asked.push(provider)
    return fetch(provider)
  })
  return { asked, copies }
}

it('all callers that ask for the same get one copy, until it is old or forgotten', async () => {
  const { asked, copies } = counted(async (provider) => `of ${provider}`)
  expect(await Promise.all([copies.of('a'), copies.of('a'), copies.of('b')])).toEqual(['of a', 'of a', 'of b'])
  copies.forget('a')
  await copies.of('a')
  expect(asked).toEqual(['a', 'b', 'a'])
  const old = counted(async () => '', 0)
  await old.copies.of('a')
  await old.copies.of('a')
  expect(old.asked).toHaveLength(2)
})

it('a provider that does not answer is not asked again for everyone who comes', async () => {
  const { asked, copies } = counted(() => Promise.reject(new Error('away')))
  for (let times = 0; times < 5; times++) await expect(copies.of('a')).rejects.toThrow('away')
  expect(asked).toEqual(['a'])
})
