import { describe, expect, it } from '@jest/globals'
import { isSilentlyDead, type WorkerSigns } from './job-runner.js'

const NOW = 1_000_000
const dead: WorkerSigns = { dueForMs: 61_000, lastBegunAt: NOW - 61_000, running: 0, concurrency: 4 }

describe('a job worker', () => {
  it('is silently dead when work has been due for a minute and it began none, with room for it', () => {
    expect(isSilentlyDead(dead, NOW)).toBe(true)
    expect(isSilentlyDead({ ...dead, running: 3 }, NOW)).toBe(true)
  })
  it.each<[string, Partial<WorkerSigns>]>([
    ['nothing is due for long', { dueForMs: 59_000 }],
    ['it began something lately', { lastBegunAt: NOW - 59_000 }],
    ['it was opened just now', { lastBegunAt: NOW }],
    ['all its places are taken', { running: 4 }],
  ])('is well when %s', (_why, signs) => {
    expect(isSilentlyDead({ ...dead, ...signs }, NOW)).toBe(false)
  })
})
