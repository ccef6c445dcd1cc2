import { describe, expect, it } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { Secrets } from './secrets.js'

const secrets = new Secrets({ SERVER_SECRET: randomBytes(32).toString('base64') })
const other = new Secrets({ SERVER_SECRET: randomBytes(32).toString('base64') })
const plaintext = Buffer.from('private key')

describe('sealed values', () => {
  it('open for their purpose, and never look the same twice', () => {
    const [one, two] = [secrets.seal('token key', plaintext), secrets.seal('token key', plaintext)]
    expect(Buffer.from(secrets.open('token key', one))).toEqual(plaintext)
    expect(one).not.toEqual(two)
  })
  it('do not open for another purpose or under another secret', () => {
    const sealed = secrets.seal('a', plaintext)
    expect(() => secrets.open('b', sealed)).toThrow()
    expect(() => other.open('a', sealed)).toThrow()
  })
  it('do not open when any byte has changed, or some are missing', () => {
    const sealed = secrets.seal('a', plaintext)
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed, (byte, index) => (index === at ? byte ^ 1 : byte))
      expect(() => secrets.open('a', changed)).toThrow()
      expect(() => secrets.open('a', sealed.subarray(0, at))).toThrow()
    }
  })
})

describe('MACs', () => {
  it('verify in full or truncated to 16 bytes, but not shorter', () => {
    const mac = secrets.mac('hints', plaintext)
    expect(secrets.verifyMac('hints', plaintext, mac)).toBe(true)
    expect(secrets.verifyMac('hints', plaintext, mac.subarray(0, 16))).toBe(true)
    expect(secrets.verifyMac('hints', plaintext, mac.subarray(0, 15))).toBe(false)
    expect(secrets.verifyMac('hints', plaintext, Buffer.concat([mac, mac]))).toBe(false)
  })
  it('differ by purpose, data and secret', () => {
    const mac = secrets.mac('hints', plaintext)
    expect(secrets.verifyMac('other', plaintext, mac)).toBe(false)
    expect(secrets.verifyMac('hints', Buffer.from('x'), mac)).toBe(false)
    expect(other.verifyMac('hints', plaintext, mac)).toBe(false)
  })
})

describe('pseudonyms', () => {
  it('are the same for the same text, and differ by purpose, text and secret', () => {
    const one = secrets.pseudonym('limits', 'alice')
    expect(one).toMatch(/^[0-9a-f]{32}$/)
    expect(secrets.pseudonym('limits', 'alice')).toBe(one)
    const others = [secrets.pseudonym('other', 'alice'), secrets.pseudonym('limits', 'alicf'), other.pseudonym('limits', 'alice')]
    expect(new Set([one, ...others]).size).toBe(4)
  })
})
