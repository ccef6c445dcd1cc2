import { describe, expect, it } from '@jest/globals'
import { z } from 'zod'
import { Epoch, GroupId, MlsBytes } from '../bytes.js'
import type { Problem } from '../problem.js'
import { problemOf, ValidationPipe } from './validation.pipe.js'

const BODY = { type: 'body' } as const

describe('problemOf', () => {
  it('says where and what, but not everything', () => {
    const issues = Array.from({ length: 100 }, (_, index) => ({
      path: ['list', { key: index }, 'x'.repeat(500)],
      message: 'y'.repeat(500),
    }))
    const problem = problemOf(issues, BODY)
    expect(problem).toMatchObject({ status: 400, type: 'invalid-request' })
    expect(problem.extension['errors']).toHaveLength(20)
    expect(JSON.stringify(problem.extension).length).toBeLessThan(8_000)
  })
  it('answers 404 for a name that nothing can have', () => {
    const issues = [
      { path: [], message: 'too long' },
      { path: [], message: 'No room.', params: { notFound: true } },
    ]
    expect(problemOf(issues, BODY)).toMatchObject({ status: 404, type: 'not-found', detail: 'No room.' })
  })
  it('answers 413 for bytes past their limit', () => {
    expect(problemOf([{ path: ['commit'], message: '', params: { tooLarge: 7 } }], BODY)).toMatchObject({
      status: 413,
      type: 'too-large',
      extension: { limit: 7 },
    })
  })
})

describe('a refused value', () => {
  const complaint = async (schema: z.ZodType, value: unknown, metadata: { type: 'body' | 'param' | 'query'; data?: string } = BODY) => {
    const problem = await new ValidationPipe().transform(value, { ...metadata, schema }).then(
      () => undefined,
      (thrown: Problem) => thrown,
    )
    return { status: problem?.status, errors: problem?.extension['errors'] }
  }

  it.each<[string, z.ZodType, unknown, string, string]>([
    ['a missing list', z.strictObject({ a: z.array(z.int()) }), {}, 'a', 'Missing: expected a list'],
    ['too short a list', z.strictObject({ a: z.array(z.int()).min(1) }), { a: [] }, 'a', 'Expected at least 1 items'],
    ['too long a text', z.strictObject({ a: z.string().max(2) }), { a: 'xxx' }, 'a', 'Expected at most 2 characters'],
    ['what has to be positive', z.strictObject({ a: z.int().positive() }), { a: 0 }, 'a', 'Expected more than 0'],
    ['what has to be negative', z.strictObject({ a: z.int().negative() }), { a: 0 }, 'a', 'Expected less than 0'],
    ['another type', z.strictObject({ a: z.boolean() }), { a: 'x' }, 'a', 'Expected true or false'],
    ['a fraction', z.strictObject({ a: z.int() }), { a: 1.5 }, 'a', 'Expected a whole number'],
    ['text for an epoch', z.strictObject({ epoch: Epoch }), { epoch: 'x' }, 'epoch', 'Expected a number or a whole number'],
    ['an unknown member', z.strictObject({}), { who: 1 }, '', 'Unknown members: who'],
    ['another value', z.strictObject({ a: z.enum(['b', 'c']) }), { a: 'd' }, 'a', 'Expected b or c'],
    [
      'another form',
      z.strictObject({ a: z.string().regex(/^x$/) }),
      { a: 'd' },
      'a',
      'Expected another form: see the description of this member',
    ],
    ['a form that has a name', z.strictObject({ a: z.string().regex(/^x$/, 'Expected x') }), { a: 'd' }, 'a', 'Expected x'],
    [
      'bytes that are none',
      z.strictObject({ a: MlsBytes() }),
      { a: '?' },
      'a',
      'Expected base64url without padding, or a byte string in CBOR',
    ],
    [
      'neither of two forms',
      z.union([z.string().refine(() => false, 'Expected a user'), z.string().refine(() => false, 'Expected a client')]),
      'x',
      '',
      'Expected a user or a client',
    ],
  ])('is explained in words of the API: %s', async (_what, schema, value, path, message) => {
    expect(await complaint(schema, value)).toEqual({ status: 400, errors: [{ path, message }] })
  })

  it('of the address is named by its parameter, and too long an id is no large body', async () => {
    const long = 'A'.repeat(400)
    expect(await complaint(GroupId, long, { type: 'param', data: 'groupId' })).toEqual({
      status: 400,
      errors: [{ path: 'groupId', message: 'At most 255 bytes' }],
    })
    expect(await complaint(GroupId, long)).toMatchObject({ status: 413 })
  })
})
