import { describe, expect, it } from '@jest/globals'
import { problemOf } from './validation.js'

describe('problemOf', () => {
  it('says where and what, but not everything', () => {
    const issues = Array.from({ length: 100 }, (_, index) => ({
      path: ['list', { key: index }, 'x'.repeat(500)],
      message: 'y'.repeat(500),
    }))
    const problem = problemOf(issues)
    expect(problem).toMatchObject({ status: 400, type: 'invalid-request' })
    expect(problem.extension['errors']).toHaveLength(20)
    expect(JSON.stringify(problem.extension).length).toBeLessThan(8_000)
  })
  it('answers 404 for a name that nothing can have', () => {
    const issues = [
      { path: [], message: 'too long' },
      { path: [], message: 'No room.', params: { notFound: true } },
    ]
    expect(problemOf(issues)).toMatchObject({ status: 404, type: 'not-found', detail: 'No room.' })
  })
  it('answers 413 for bytes past their limit', () => {
    expect(problemOf([{ path: ['commit'], message: '', params: { tooLarge: 7 } }])).toMatchObject({
      status: 413,
      type: 'too-large',
      extension: { limit: 7 },
    })
  })
})
