import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { nodeRefusal, OLDEST_NODE } from './node-version.js'

describe('the version of Node', () => {
  it.each([
    ['18.20.8', false],
    ['20.19.0', false],
    ['22.9.1', false],
    ['22.21.9', false],
    ['22.22.0', true],
    ['22.22.1', true],
    ['24.0.0', true],
    ['100.0.0', true],
  ])('%s: %s', (version, runs) => {
    expect(nodeRefusal(version) === undefined).toBe(runs)
    if (!runs) expect(nodeRefusal(version)).toMatch(new RegExp(`^MicroChat Server needs Node.js 22.22.0 or newer, and this is ${version} `))
  })

  it('is the same for npm scripts', async () => {
    const tool = await readFile(join(import.meta.dirname, '../../tools/node-version.mjs'), 'utf8')
    expect(tool).toContain(`[${OLDEST_NODE.join(', ')}]`)
  })
})
