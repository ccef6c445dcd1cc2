import { describe, expect, it } from '@jest/globals'
import { query } from '../../support/peer-requests.js'
import { documentOf, jwk, newKey, seconds, signedDirectory, type Said } from './peer/directory.js'
import { first, second, third, useDirectories } from './peer/directory-world.js'

const w = useDirectories()

describe('endpoints', () => {
  it.each(['at first sight', 'later'])('beside a public signed part divert nothing %s, and are alarmed', async (when) => {
    const directory = w.show({})
    if (when === 'later') expect(await w.asks(first)).toBeUndefined()
    // Who controls the web server of the domain shows what everybody can read, and his own addresses.
    w.peer.showing = () => documentOf(directory, w.thief.url)
    await w.lookAgain()
    await query(w.server, w.domain)
    expect(w.thief.seen).toEqual([])
    expect(w.peer.seen.filter((endpoint) => endpoint === 'identifierQuery')).toHaveLength(1)
    expect((await w.known()).alarm).toMatch(/beside its signed part differs/)
    w.peer.showing = () => documentOf(directory, w.peer.url)
    await w.lookAgain()
    expect((await w.known()).alarm).toBeNull()
  })

  it('that only stand beside the signed part are none', async () => {
    const directory = w.show({ more: { endpoints: {} } })
    w.peer.showing = () => documentOf(directory, w.thief.url)
    await w.lookAgain()
    expect(await query(w.server, w.domain)).toMatchObject({ kind: 'no-endpoint' })
    expect(w.thief.seen).toEqual([])
  })
})

const unsigned = { protected: 'e30', signature: 'anVuaw' }

describe('possession', () => {
  it.each<[string, () => void]>([
    [
      'that nobody signed',
      () =>
        (w.peer.showing = () =>
          documentOf({ ...signedDirectory({ domain: w.domain, url: w.peer.url, keys: [first] }), signatures: [unsigned] }, w.peer.url)),
    ],
    ['with a key of somebody else', () => void w.show({ keys: [first, second], signers: [first] })],
    ['with another one’s signature in the name of a key', () => void w.show({ signers: [{ ...first, privateKey: second.privateKey }] })],
    ['whose header is of another type', () => void w.show({ header: { typ: 'JWT' } })],
    ['whose header has no algorithm', () => void w.show({ header: { alg: 'none' } })],
    ['whose header names another algorithm', () => void w.show({ header: { alg: 'ES256' } })],
    ['whose header demands what is not understood', () => void w.show({ header: { crit: ['b64'], b64: false } })],
  ])('is demanded of a directory at first sight: one %s is never pinned', async (_how, shown) => {
    shown()
    expect(await w.asks(first)).toBe('key-unknown')
    expect(await w.known()).toEqual({ alarm: 'a key that it names has not signed it', error: null, keys: [] })
    w.show({})
    expect(await w.asks(first)).toBeUndefined()
    expect(await w.known()).toEqual({ alarm: null, error: null, keys: ['k1'] })
  })

  it.each(['EdDSA', 'Ed25519'])('is shown by signatures whose algorithm is called %s', async (alg) => {
    w.show({ header: { alg } })
    expect(await w.asks(first)).toBeUndefined()
  })
})

const many = Array.from({ length: 17 }, (_, number) => newKey(`m${number}`))

describe('a directory that comes later', () => {
  it.each<[string, string, () => Partial<Said>]>([
    ['names a key that has not signed it', 'a key that it names has not signed it', () => ({ keys: [first, second], signers: [first] })],
    ['is signed by a new key only', 'no key that is trusted has signed it', () => ({ keys: [second] })],
    ['names one key twice', 'two of its keys are the same', () => ({ keys: [first, { ...first, kid: 'again' }] })],
    [
      'gives an id another key',
      'a key has another id than before, or an id another key',
      () => ({ keys: [second, { ...third, kid: 'k1' }], signers: [first, second, { ...third, kid: 'k1' }] }),
    ],
    ['gives a key another id', 'a key has another id than before, or an id another key', () => ({ keys: [{ ...first, kid: 'k9' }] })],
    ['is an older one', 'it is older than one that was trusted', () => ({ issued: seconds() - 900 })],
    ['is for a year', 'it is valid for too long', () => ({ issued: seconds() + 1, more: { expires_at: seconds() + 365 * 86_400 } })],
    ['is for an hour', 'it is valid for too short a time', () => ({ issued: seconds() + 1, more: { expires_at: seconds() + 3_600 } })],
    ['has expired', 'it has expired', () => ({ more: { expires_at: seconds() - 1 } })],
    ['is of the future', 'it is of the future', () => ({ issued: seconds() + 600 })],
    ['is of another domain', 'it is of another domain', () => ({ domain: 'd.example' })],
  ])('and %s is refused and alarmed, and the keys from before stay', async (_how, alarm, said) => {
    w.show({ issued: seconds() - 600 })
    expect(await w.asks(first)).toBeUndefined()
    w.show(said())
    await w.lookAgain()
    expect(await w.known()).toEqual({ alarm, error: null, keys: ['k1'] })
    expect(await w.asks(first)).toBeUndefined()
    expect(await w.asks(third)).toBe('key-unknown')
  })

  it('with the time of another one is refused and alarmed: nobody has two documents in force', async () => {
    const issued = seconds()
    const own = w.show({ issued })
    expect(await w.asks(first)).toBeUndefined()
    w.show({ issued, more: { features: ['other'] } })
    await w.lookAgain()
    expect((await w.known()).alarm).toBe('it has the time of another one that was trusted')
    w.peer.showing = () => documentOf(own, w.peer.url)
    await w.lookAgain()
    expect((await w.known()).alarm).toBeNull()
  })

  it.each<[string, () => Partial<Said>]>([
    ['has 17 keys', () => ({ keys: [first, ...many.slice(1)] })],
    ['has no key', () => ({ keys: [], signers: [first] })],
    ['has a key of another curve', () => ({ more: { keys: [jwk(first, { crv: 'Ed448' })] } })],
    ['has a key that is none', () => ({ more: { keys: [jwk(first, { x: 'short' })] } })],
    ['has two keys of one id', () => ({ keys: [first, { ...second, kid: 'k1' }] })],
    ['has no endpoints', () => ({ more: { endpoints: undefined } })],
  ])('and %s is none: what was known stays, and the operator reads why', async (_how, said) => {
    w.show({ issued: seconds() - 60 })
    expect(await w.asks(first)).toBeUndefined()
    w.show(said())
    await w.lookAgain()
    expect(await w.known()).toMatchObject({
      alarm: null,
      error: expect.stringMatching(/^its payload cannot be read, at (keys|endpoints)/),
      keys: ['k1'],
    })
    expect(await w.asks(first)).toBeUndefined()
  })
})
