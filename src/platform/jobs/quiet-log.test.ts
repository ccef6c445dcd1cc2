import { expect, it } from '@jest/globals'
import { pino } from 'pino'
import { QuietLog } from './quiet-log.js'

it('the same error is logged once a minute, another one at once', () => {
  const lines: string[] = []
  let now = 0
  const quiet = new QuietLog(
    pino({ base: null }, { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) }),
    () => now,
  )
  const refused = new Error('ECONNREFUSED')
  for (const at of [0, 10, 59_999]) {
    now = at
    quiet.warn(refused, 'queue')
  }
  expect(lines).toEqual(['queue'])
  quiet.warn(refused, 'worker')
  quiet.warn(new Error('LOADING'), 'queue')
  now = 60_000
  quiet.warn(refused, 'queue')
  expect(lines).toEqual(['queue', 'worker', 'queue', 'queue'])
})
