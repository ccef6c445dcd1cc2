import { describe, expect, it } from '@jest/globals'
import { RULES } from '../../../src/protocol/mls/rules.js'
import { NEGATIVE_CASES } from './all-cases.js'

describe.each(Object.entries(NEGATIVE_CASES))('%s', (_topic, cases) => {
  it.each(cases.map((one) => [one.rule, one.title, one] as const))('is refused by %s: %s', async (rule, _title, { verdict }) => {
    expect(await verdict()).toMatchObject({ rule, section: RULES[rule][0] })
  })
})

it('there is a message for every rule', () => {
  const covered = new Set(Object.values(NEGATIVE_CASES).flatMap((cases) => cases.map(({ rule }) => rule as string)))
  expect(Object.keys(RULES).filter((rule) => !covered.has(rule))).toEqual([])
})
