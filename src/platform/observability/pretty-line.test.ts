import { describe, expect, it } from '@jest/globals'
import { createLog } from './log.js'
import { prettyLine } from './pretty-line.js'

const TIME = '2026-11-29T20:47:40.201Z'
const pretty = (members: object) => prettyLine(`${JSON.stringify({ level: 'info', time: TIME, ...members })}\n`)

describe('a line for a terminal', () => {
  it('has time, level, message and members', () => {
    expect(pretty({ route: '/v1/groups', status: 200, note: 'two words', msg: 'request' })).toBe(
      '20:47:40.201 INFO  request route=/v1/groups status=200 note="two words"\n',
    )
  })
  it('has the frames of an error below it', () => {
    expect(pretty({ level: 'error', err: { type: 'Error', message: 'odd', stack: ['at one', 'at two'] }, msg: 'failed' })).toBe(
      '20:47:40.201 ERROR failed type=Error message=odd\n    at one\n    at two\n',
    )
  })
  it.each(['\u001b[2J', 'a\nb', '\u0007', '\u009b31m', '\u202e'])('carries no command to the terminal: %j', (text) => {
    expect(pretty({ msg: text, [text]: text }).slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})

describe('LOG_FORMAT', () => {
  it.each([
    ['pretty', /^\d\d:\d\d:\d\d\.\d{3} INFO  hello token=\[redacted\]\n$/],
    ['json', /^\{"level":"info".*"token":"\[redacted\]","msg":"hello"\}\n$/],
  ] as const)('%s', (LOG_FORMAT, form) => {
    const lines: string[] = []
    createLog({ LOG_LEVEL: 'info', LOG_FORMAT }, { write: (line) => void lines.push(line) }).info({ token: 'hunter2' }, 'hello')
    expect(lines).toEqual([expect.stringMatching(form)])
  })
})
