import { describe, expect, it } from '@jest/globals'
import { DRAFT_CONNECTIONS, DraftConnections } from './draft-connections.js'

const { handshakes, ofStrangers, ofAddress, ofPeer } = DRAFT_CONNECTIONS
const many = (count: number, make: (index: number) => (() => void) | undefined) => Array.from({ length: count }, (_, index) => make(index))
const places = (made: readonly unknown[]) => made.filter((end) => end !== undefined).length

describe('connections of peers of the draft', () => {
  it('are few that have shown nothing yet, of one address', () => {
    const connections = new DraftConnections()
    const made = many(ofAddress.value + 5, () => connections.shake('192.0.2.1'))
    expect(places(made)).toBe(ofAddress.value)
    expect(connections.shake('192.0.2.2')).toBeDefined()
    // A handshake that ends twice, by a certificate and with its connection, makes one place free.
    made[0]?.()
    made[0]?.()
    expect(places(many(2, () => connections.shake('192.0.2.1')))).toBe(1)
  })

  it('leave the last places for handshakes to addresses of peers', () => {
    const connections = new DraftConnections()
    connections.connect('198.51.100.1', 'b.example')
    expect(places(many(handshakes.value, (index) => connections.shake(`192.0.2.${index}`)))).toBe(ofStrangers.value)
    expect(places(many(ofAddress.value, () => connections.shake('198.51.100.1')))).toBe(ofAddress.value)
  })

  it('are counted for the peer whose certificate they show', () => {
    const connections = new DraftConnections()
    const made = many(ofPeer.value + 5, (index) => connections.connect(`198.51.100.${index}`, 'b.example'))
    expect(places(made)).toBe(ofPeer.value)
    expect(connections.connect('198.51.100.1', 'c.example')).toBeDefined()
    made[0]?.()
    expect(connections.connect('198.51.100.1', 'b.example')).toBeDefined()
  })
})
