import { describe, expect, it } from '@jest/globals'
import { createLog } from './log.js'

function capture(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = []
  write(createLog({ LOG_LEVEL: 'trace' }, { write: (line) => void lines.push(line) }))
  return lines.join('')
}

describe('the log', () => {
  it.each([
    'authorization',
    'access_token',
    'refresh_token',
    'commit',
    'welcome',
    'key_packages',
    'group_info',
    'ratchet_tree',
    'nonce',
    'proof',
    'invite_code',
    'SERVER_SECRET',
  ])('never has the value of %s, at any of three levels', (name) => {
    const text = capture((log) => log.info({ [name]: 'hunter2', a: { [name]: 'hunter2', b: { [name]: 'hunter2' } } }, 'x'))
    expect(text).not.toContain('hunter2')
    expect(text.match(/\[redacted\]/g)).toHaveLength(3)
  })

  it('leaves out what a database error quotes from rows', () => {
    const error = Object.assign(new Error('duplicate key'), {
      code: '23505',
      detail: 'Key (ref)=(hunter2)',
      where: 'hunter2',
      parameters: ['hunter2'],
    })
    const line = JSON.parse(capture((log) => log.error({ err: error }, 'x')))
    expect(line.err).toMatchObject({ type: 'Error', message: 'duplicate key', code: '23505' })
    expect(JSON.stringify(line)).not.toContain('hunter2')
  })

  it('is one JSON object per line, with a level by name', () => {
    expect(JSON.parse(capture((log) => log.warn({ a: 1 }, 'b')))).toMatchObject({
      level: 'warn',
      msg: 'b',
      a: 1,
      time: expect.stringMatching(/Z$/),
    })
  })
})
