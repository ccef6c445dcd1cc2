import { describe, expect, test } from '@jest/globals'
import { lastResortMark } from './check-key-package.js'

const none = Uint8Array.of()
const extension = (data: Uint8Array) => ({ type: 0x000a, data })
const dictionary = (...bytes: number[]) => ({ type: 0x0006, data: Uint8Array.of(bytes.length, ...bytes) })
const other = { type: 0xf001, data: Uint8Array.of(1, 2, 3) }

describe('lastResortMark', () => {
  test.each([
    ['no extension', [], 'unmarked'],
    ['another extension', [other], 'unmarked'],
    ['the extension of earlier drafts', [other, extension(none)], 'marked'],
    ['that extension with data', [extension(Uint8Array.of(0))], 'malformed'],
    ['the component', [dictionary(0, 4, 0)], 'marked'],
    ['the component between others', [dictionary(0, 1, 0, 0, 4, 0, 0, 5, 1, 9)], 'marked'],
    ['the component and the extension', [dictionary(0, 4, 0), extension(none)], 'marked'],
    ['the component with data', [dictionary(0, 4, 1, 7)], 'malformed'],
    ['an empty dictionary', [dictionary()], 'unmarked'],
    ['a dictionary of other components', [dictionary(0, 1, 0, 0, 5, 1, 9)], 'unmarked'],
    ['unsorted components', [dictionary(0, 5, 0, 0, 4, 0)], 'malformed'],
    ['the component twice', [dictionary(0, 4, 0, 0, 4, 0)], 'malformed'],
    ['a truncated dictionary', [{ type: 0x0006, data: Uint8Array.of(3, 0, 4) }], 'malformed'],
    ['bytes after the dictionary', [{ type: 0x0006, data: Uint8Array.of(3, 0, 4, 0, 0) }], 'malformed'],
    ['no dictionary at all', [{ type: 0x0006, data: none }], 'malformed'],
    // Drafts 05 and 06 had four-byte component ids: not what any registry will say, and read as something else.
    ['a component id of four bytes', [dictionary(0, 0, 0, 4, 0)], 'malformed'],
  ])('%s', (_name, extensions, mark) => {
    expect(lastResortMark(extensions)).toBe(mark)
  })
})
