import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { AccessTokens } from './access-tokens.js'
import type { KeyRing } from './key-ring.js'

test('a token that was good is refused as soon as its key is withdrawn', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  let published = true
  const ring: Pick<KeyRing, 'signer' | 'publicKey'> = {
    signer: async () => ({ kid: 'k1', privateKey }),
    publicKey: async (kid) => (published && kid === 'k1' ? publicKey : undefined),
  }
  const tokens = new AccessTokens({ DOMAIN: 'localhost', ACCESS_TOKEN_TTL: 300_000, ACCESS_TOKENS: 'bound' }, ring as KeyRing)
  const device = { deviceId: 1n, userId: 2n, client: 'mimi://localhost/d/alice/phone', generation: 0 }
  const { token } = await tokens.issue(device, new Date())
  expect((await tokens.verify(token)).kind).toBe('valid')
  published = false
  expect((await tokens.verify(token)).kind).toBe('invalid')
})
