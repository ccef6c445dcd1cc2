import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { ProviderKeys } from '../../src/federation/identity/provider-keys.js'
import { FirstLooks } from '../../src/federation/peers/first-looks.js'
import { PeerDirectories } from '../../src/federation/peers/peer-directories.js'
import { encodeIdentifierRequest } from '../../src/protocol/mimi/identifier-query.js'
import { startFederation, type Provider } from '../support/federation.js'
import { callPeer } from '../support/peer-call.js'
import { showDirectory } from '../support/shown-directory.js'

describe('strangers at a new server', () => {
  it('do not keep its own users from whom it has not met', async () => {
    const small = await startFederation(3, { FEDERATION_NEW_PEERS_PER_MINUTE: '2' })
    try {
      const { app } = small.providers[1]!
      const directories = app.get(PeerDirectories)
      const stranger = (domain: string) =>
        app.get(FirstLooks).chargeTo({ kind: 'address', name: '192.0.2.7' }, () => directories.of(domain))
      const [one, , three] = small.providers as [Provider, Provider, Provider]
      for (const port of [1, 2]) expect(await stranger(`127.0.1.1:${port}`)).toBeUndefined()
      const strangers = [stranger(one.domain), stranger(three.domain)]
      const atOnce = directories.of(one.domain)
      for (const refused of strangers) await expect(refused).rejects.toThrow('rate-limited')
      expect(await atOnce).toMatchObject({ domain: one.domain })
      expect(await directories.of(three.domain)).toMatchObject({ domain: three.domain })
      await expect(directories.of('127.0.1.1:3')).rejects.toThrow('rate-limited')
      // Who is known already is let in.
      const body = encodeIdentifierRequest({ elements: [] })
      const call = { endpoint: 'identifierQuery', argument: 'b.example', body } as const
      expect((await callPeer(one, small.providers[1]!, call)).status).toBe(200)
    } finally {
      await small.close()
    }
  })

  it('have a limit that is not that of its users', async () => {
    const small = await startFederation(2, { FEDERATION_NEW_PEERS_PER_MINUTE: '2' })
    try {
      const [one, two] = small.providers as [Provider, Provider]
      const directories = two.app.get(PeerDirectories)
      for (const port of [1, 2]) await directories.of(`127.0.1.1:${port}`)
      await expect(directories.of('127.0.1.1:3')).rejects.toThrow('rate-limited')
      const call = { endpoint: 'identifierQuery', argument: two.domain, body: encodeIdentifierRequest({ elements: [] }) } as const
      expect((await callPeer(one, two, call)).status).toBe(200)
    } finally {
      await small.close()
    }
  })
})

it('a key of tomorrow is none yet, unless it is only the clocks that differ', async () => {
  const federation = await startFederation(2)
  try {
    const [one, two] = federation.providers as [Provider, Provider]
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
    const notBefore = new Date(Date.now() + 3_600_000)
    const next = { keyId: 'next', publicKey: raw, privateKey, notBefore, notAfter: undefined, signs: false, listed: true }
    const keys = [...(await one.app.get(ProviderKeys).published()), next]
    await showDirectory(one, one, { keys })
    const directories = two.app.get(PeerDirectories)
    const sought = (ms: number) => directories.key(one.domain, 'next', new Date(notBefore.getTime() + ms))
    expect((await directories.of(one.domain))?.keys.has('next')).toBe(true)
    expect(await sought(-3_600_000)).toBeUndefined()
    expect(await sought(-32_000)).toBeUndefined()
    expect(await sought(-28_000)).toBeDefined()
    expect(await sought(0)).toBeDefined()
  } finally {
    await federation.close()
  }
})
