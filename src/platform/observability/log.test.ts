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

  it('[I10] leaves out what a database error quotes from rows', () => {
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

  it.each<[string, Error]>([
    ['Redis away', Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })],
    ['Redis away, as ioredis says it', new Error("Stream isn't writeable and enableOfflineQueue options is false")],
    ['Redis that waits no longer', new Error('Command timed out')],
    ['a password that Redis refuses', new Error('WRONGPASS invalid username-password pair or user is disabled.')],
    ['PostgreSQL that is stopped', Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' })],
    ['PostgreSQL gone', new Error('Connection terminated unexpectedly')],
    ['PostgreSQL read-only', Object.assign(new Error('cannot execute UPDATE in a read-only transaction'), { code: '25006' })],
    ['a full disk', Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })],
    ['a folder of somebody else', Object.assign(new Error("EACCES: permission denied, mkdir '/x'"), { code: 'EACCES' })],
    ['a file in its place', Object.assign(new Error("EEXIST: file already exists, mkdir '/x'"), { code: 'EEXIST' })],
    ['a peer away', new Error('fetch failed', { cause: Object.assign(new Error('connect'), { code: 'EHOSTUNREACH' }) })],
  ])('has no stack of %s', (_fault, error) => {
    const text = capture((log) => log.warn({ err: error }, 'x'))
    expect(JSON.parse(text).err.message).toBe(error.message)
    expect(text).not.toContain('"stack"')
  })

  it.each<[string, Error]>([
    ['mistake in the server', new TypeError('undefined is not a function')],
    ['query that is wrong', Object.assign(new Error('syntax error at or near'), { code: '42601' })],
    ['value that no column holds', Object.assign(new Error('invalid byte sequence'), { code: '22021' })],
    ['quarrel with Redis that is not known', new Error('ERR unknown command')],
  ])('has the stack of a %s', (_fault, error) => {
    const { err } = JSON.parse(capture((log) => log.error({ err: error }, 'x')))
    expect(err.stack.length).toBeGreaterThan(0)
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
