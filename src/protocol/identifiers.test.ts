import { describe, expect, test } from '@jest/globals'
import { clientUri, parseClientUri, parseRoomUri, parseUserUri, userUri } from './identifiers.js'

describe('identifiers', () => {
  test.each(['mimi://localhost/d/alice/phone', 'mimi://chat.example.com:8443/d/a.b_c-9/Laptop_2-x'])('%s is a client', (uri) => {
    const parsed = parseClientUri(uri)
    expect(parsed && clientUri(parsed)).toBe(uri)
  })

  test.each(['mimi://localhost/u/alice', 'mimi://chat.example.com/u/0'])('%s is a user', (uri) => {
    const parsed = parseUserUri(uri)
    expect(parsed && userUri(parsed)).toBe(uri)
  })

  test.each([
    ['another scheme', 'https://localhost/d/alice/phone'],
    ['a scheme in capitals', 'MIMI://localhost/d/alice/phone'],
    ['a domain in capitals', 'mimi://Localhost/d/alice/phone'],
    ['a user in capitals', 'mimi://localhost/d/Alice/phone'],
    ['a user that begins with a dot', 'mimi://localhost/d/.alice/phone'],
    ['a user of 65 letters', `mimi://localhost/d/${'a'.repeat(65)}/phone`],
    ['a device of 65 letters', `mimi://localhost/d/alice/${'a'.repeat(65)}`],
    ['no device', 'mimi://localhost/d/alice'],
    ['an empty device', 'mimi://localhost/d/alice/'],
    ['a deeper path', 'mimi://localhost/d/alice/phone/x'],
    ['a percent escape', 'mimi://localhost/d/alice/ph%6Fne'],
    ['a query', 'mimi://localhost/d/alice/phone?x'],
    ['a user info', 'mimi://bob@localhost/d/alice/phone'],
    ['a line break at the end', 'mimi://localhost/d/alice/phone\n'],
    ['letters beyond ASCII', 'mimi://localhost/d/alıce/phone'],
    ['a user', 'mimi://localhost/u/alice'],
    ['no domain', 'mimi:///d/alice/phone'],
  ])('%s is no client', (_case, uri) => {
    expect(parseClientUri(uri)).toBeUndefined()
  })

  test.each(['mimi://localhost/d/alice/phone', 'mimi://localhost/u/Alice', 'mimi://localhost/u/alice/', 'mimi://localhost/r/alice', ''])(
    '"%s" is no user',
    (uri) => expect(parseUserUri(uri)).toBeUndefined(),
  )

  test('mimi://<domain>/r/<room> is a room', () => {
    expect(parseRoomUri('mimi://chat.example.com:8443/r/a.b_c-9')).toEqual({ domain: 'chat.example.com:8443', room: 'a.b_c-9' })
  })

  test.each([
    'room',
    'mimi://localhost/u/alice',
    'mimi://localhost/r/Club',
    'mimi://localhost/r/club\0',
    `mimi://localhost/r/${'a'.repeat(65)}`,
  ])('"%s" is no room', (uri) => expect(parseRoomUri(uri)).toBeUndefined())
})
