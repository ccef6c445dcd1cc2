import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from '@jest/globals'
import { eventually } from '../../support/eventually.js'
import { draftUser, useDraftWorld } from './draft-world.js'

// Who is no peer opens connections to the listener with mutual TLS, from as many addresses as it likes.

const LIMITS = 'draft-handshakes=20,draft-handshakes-of-strangers=15,draft-connections-of-peer=3'

describe('the listener for peers of the draft', () => {
  const draft = useDraftWorld({ LIMITS, FEDERATION_UNVERIFIED_PER_MINUTE: '1000' })

  const port = () => Number(new URL(draft.network.addresses.get('a.example')!).port)

  /** A connection that says nothing. @param from the last number of an address of this machine */
  function silent(from: number): Socket {
    return connect({ host: '127.0.0.1', port: port(), localAddress: `127.0.0.${from}` }).on('error', () => undefined)
  }

  /** Waits until no more than these are open. */
  async function left(sockets: readonly Socket[], most: number): Promise<void> {
    await eventually(
      () => sockets.filter(({ closed }) => !closed).length,
      (count) => count <= most,
    )
  }

  /** A question of b.example on a connection of its own. */
  async function asked(): Promise<number> {
    const { status } = await draft.b.caller.post('a.example', 'identifierQuery', 'a.example', new Uint8Array(), {
      identity: draft.network.authority.issue('b.example'),
    })
    return status
  }

  it('has a place for a peer while silent connections from many addresses take what strangers may have', async () => {
    const status = await asked()
    const sockets = Array.from({ length: 40 }, (_, index) => silent(10 + index))
    await left(sockets, 15)
    expect(await asked()).toBe(status)
    // The others end by themselves, and those who come next have their turn.
    await left(sockets, 0)
  })

  it('ends a connection without a certificate with the handshake, before a word of HTTP, and its place is free', async () => {
    for (let index = 0; index < 50; index++) {
      const socket = connectTls({ host: '127.0.0.1', port: port(), servername: 'a.example', rejectUnauthorized: false })
      socket.on('error', () => undefined)
      await once(socket, 'close')
    }
    expect(await asked()).toBeGreaterThan(0)
  })

  it('holds as many connections of a peer as it may have, and those of another peer besides', async () => {
    const identity = draft.network.authority.issue('b.example')
    const sockets = Array.from({ length: 8 }, () =>
      connectTls({ host: '127.0.0.1', port: port(), servername: 'a.example', ca: draft.network.authority.cert, ...identity }).on(
        'error',
        () => undefined,
      ),
    )
    const open = () => sockets.filter(({ closed }) => !closed).length
    await eventually(open, (count) => count <= 3)
    const [dave] = await draftUser(draft.c, 'dave')
    expect(await dave!.find('a.example')).toBeDefined()
    for (const socket of sockets) socket.destroy()
  })
})
