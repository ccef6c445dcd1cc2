import { describe, expect, it, jest } from '@jest/globals'
import { forgetKeys } from '../../../src/federation/peers/peer-directories.repository.js'
import { Events } from '../../../src/platform/observability/events.js'
import { query } from '../../support/peer-requests.js'
import { jwk, newKey, seconds, type Said } from './peer/directory.js'
import { first, second, third, useDirectories } from './peer/directory-world.js'

const w = useDirectories()
const many = Array.from({ length: 16 }, (_, number) => newKey(`m${number}`))

describe('a stolen key', () => {
  /** Its owner withdraws it; it still signs the document, for those who know nothing else. */
  const withdraw = (more: Partial<Said> = {}) => w.show({ keys: [second], signers: [second, first], ...more })

  it('without the domain ends with the first request by the new one', async () => {
    w.show({ issued: seconds() - 60 })
    expect(await w.asks(first)).toBeUndefined()
    withdraw()
    expect(await w.asks(second)).toBeUndefined()
    expect(await w.asks(first)).toBe('key-unknown')
    expect(await w.known()).toEqual({ alarm: null, error: null, keys: ['k2'] })
  })

  it.each<[string, string, () => Partial<Said>]>([
    ['in the name of itself', 'a key that was withdrawn is back', () => ({ keys: [first] })],
    ['under another id', 'a key that was withdrawn is back', () => ({ keys: [{ ...first, kid: 'k9' }] })],
    ['for a key of the thief', 'no key that is trusted has signed it', () => ({ keys: [third], signers: [third, first] })],
    [
      'with its id for a key of the thief',
      'a key that was withdrawn is back',
      () => ({ keys: [{ ...third, kid: 'k1' }], signers: [{ ...third, kid: 'k1' }, first] }),
    ],
    ['beside that of the owner', 'a key that it names has not signed it', () => ({ keys: [second, third], signers: [third, first] })],
  ])('with the domain signs no later document %s once a peer knows that it is withdrawn', async (_how, alarm, said) => {
    w.show({ issued: seconds() - 60 })
    expect(await w.asks(first)).toBeUndefined()
    withdraw({ issued: seconds() - 30 })
    expect(await w.asks(second)).toBeUndefined()
    w.show(said())
    for (const key of [third, first]) expect(await w.asks(key)).toBe('key-unknown')
    expect(await w.known()).toEqual({ alarm, error: null, keys: ['k2'] })
    expect(await w.asks(second)).toBeUndefined()
  })

  it('does not come back by the owner’s own hand either', async () => {
    w.show({ issued: seconds() - 60 })
    expect(await w.asks(first)).toBeUndefined()
    withdraw({ issued: seconds() - 30 })
    expect(await w.asks(second)).toBeUndefined()
    w.show({ keys: [second, first] })
    await w.lookAgain()
    expect(await w.known()).toMatchObject({ alarm: 'a key that was withdrawn is back', keys: ['k2'] })
  })

  it('with the domain wins at a peer that has not heard of the withdrawal; the operator is alarmed by the owner’s, and trusts again', async () => {
    w.show({ issued: seconds() - 60 })
    expect(await w.asks(first)).toBeUndefined()
    w.show({ keys: [third], signers: [third, first], issued: seconds() - 30 })
    expect(await w.asks(third)).toBeUndefined()
    withdraw()
    expect(await w.asks(second)).toBe('key-unknown')
    expect(await w.known()).toEqual({ alarm: 'no key that is trusted has signed it', error: null, keys: ['k3'] })
    await forgetKeys(w.server.pool, w.domain)
    expect(await w.asks(second)).toBeUndefined()
    expect(await w.asks(third)).toBe('key-unknown')
    expect(await w.known()).toEqual({ alarm: null, error: null, keys: ['k2'] })
  })

  it('keys that have gone are remembered in a small number, however often a provider changes them', async () => {
    w.show({ keys: many, issued: seconds() - 600 })
    await w.lookAgain()
    for (let round = 1; round < 8; round++) {
      const keys = Array.from({ length: 15 }, (_, number) => newKey(`r${round}-${number}`))
      w.show({ keys: [many[0]!, ...keys], issued: seconds() - 600 + round })
      expect(await w.asks(keys[0]!)).toBeUndefined()
    }
    const { rows } = await w.server.pool.query('SELECT count(*)::int AS n FROM peer_past_key WHERE domain = $1', [w.domain])
    expect(rows).toEqual([{ n: 64 }])
  })
})

describe('the end of a directory', () => {
  it('counts after it was stored: nobody who keeps a peer from the next one keeps its keys in force', async () => {
    w.show({})
    expect(await w.asks(first)).toBeUndefined()
    await w.age('expires_at', '-1 second')
    w.peer.showing = () => 'cannot be fetched'
    expect(await w.asks(first)).toBe('key-unknown')
    expect(await query(w.server, w.domain)).toMatchObject({ kind: 'no-directory' })
    expect(await w.known()).toMatchObject({ error: 'it is no JSON', keys: ['k1'] })
    // The pins hold beyond it.
    w.show({ keys: [second] })
    expect(await w.asks(second)).toBe('key-unknown')
    w.show({ issued: seconds() + 1 })
    expect(await w.asks(first)).toBeUndefined()
  })

  it('is said before it comes', async () => {
    w.show({})
    expect(await w.asks(first)).toBeUndefined()
    w.peer.showing = () => 'cannot be fetched'
    const recorded = jest.spyOn(w.server.app.get(Events, { strict: false }), 'record')
    await w.age('expires_at', '4 days')
    await w.lookAgain()
    expect(recorded).not.toHaveBeenCalledWith('peer.directory_ending')
    await w.age('expires_at', '2 days')
    await w.lookAgain()
    expect(recorded).toHaveBeenCalledWith('peer.directory_ending')
    recorded.mockRestore()
    expect(await w.asks(first)).toBeUndefined()
  })

  it('of a key is that in the directory', async () => {
    w.show({ keys: [first, second], more: { keys: [jwk(first), jwk(second, { exp: seconds() - 1 })] } })
    expect(await w.asks(first)).toBeUndefined()
    expect(await w.asks(second)).toBe('key-unknown')
  })

  it('of a key ends its word for others, too', async () => {
    w.show({ more: { keys: [jwk(first, { exp: seconds() + 3_600 })] } })
    expect(await w.asks(first)).toBeUndefined()
    await w.server.pool.query("UPDATE peer_key SET not_after = now() - interval '1 second' WHERE domain = $1", [w.domain])
    w.show({ keys: [second], signers: [second, first], issued: seconds() + 1 })
    expect(await w.asks(second)).toBe('key-unknown')
    expect((await w.known()).alarm).toBe('no key that is trusted has signed it')
  })
})

describe('a directory that does not come', () => {
  it('stalls no request with a key that is known, though anybody may ask for one that is not', async () => {
    w.show({})
    expect(await w.asks(first)).toBeUndefined()
    const held = Promise.withResolvers<undefined>()
    Object.assign(w.peer, { held })
    w.peer.showing = () => undefined
    const outcomes: string[] = []
    const stranger = w.asks(newKey('unknown')).then((told) => outcomes.push(`stranger ${told}`))
    await held.promise
    expect(await w.asks(first)).toBeUndefined()
    outcomes.push('known')
    await stranger
    expect(outcomes).toEqual(['known', 'stranger key-unknown'])
  })

  it('stalls no known key whose copy is old either', async () => {
    w.show({})
    expect(await w.asks(first)).toBeUndefined()
    await w.age('fetched_at', '-2 hours')
    const held = Promise.withResolvers<undefined>()
    Object.assign(w.peer, { held })
    w.peer.showing = () => undefined
    const outcomes: string[] = []
    const stranger = w.asks(newKey('unknown')).then((told) => outcomes.push(`stranger ${told}`))
    await held.promise
    expect(await w.asks(first)).toBeUndefined()
    outcomes.push('known')
    await stranger
    expect(outcomes).toEqual(['known', 'stranger key-unknown'])
  })
})
