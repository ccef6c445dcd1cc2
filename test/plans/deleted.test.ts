import { expect, test } from '@jest/globals'
import { collectStatements } from './statements.js'

/** Rows of a deleted group stay in these for a while. */
const TABLES = /\b(FROM|JOIN) (log|welcome|group_info|group_tree|group_snapshot)\b/

/** Whether their bytes come out of it: not where they are only counted. */
function readsBytes(text: string): boolean {
  return TABLES.test(text) && /\bbytes\b/.test(text.replaceAll(/octet_length\([\w.]*bytes\)( AS bytes)?/g, ''))
}

test('[I8] every statement that reads bytes of a group asks whether the group is deleted', async () => {
  const { statements } = await collectStatements()
  const reading = statements.filter(({ text }) => readsBytes(text))
  // What deletes rows, or counts them, in the lock of the group.
  const unasked = reading.filter(
    ({ text }) => !text.includes('deleted_at IS NULL') && !/^\s*(WITH held AS MATERIALIZED|UPDATE groups)/.test(text),
  )
  expect(reading.length).toBeGreaterThan(12)
  expect(unasked.map(({ by }) => by)).toEqual([])
})
