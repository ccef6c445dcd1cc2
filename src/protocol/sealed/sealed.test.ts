import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { memberProof } from './member-proof.js'
import { possessionBytes, provesPossession } from './sender-key.js'

const rawKey = (key: KeyObject) => new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))

describe('a member proof', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const keyid = Buffer.from(rawKey(publicKey)).toString('base64url')
  const path = '/v1/sealed/AA/1/messages'
  const fields = {
    'content-digest': `sha-256=:${createHash('sha256').digest('base64')}:`,
    authorization: 'PrivateToken token="AA"',
    date: 'now',
  }
  const values: Record<string, string> = { '@method': 'POST', '@path': path, '@query': '?', ...fields }
  const COVERED = ['@method', '@path', 'content-digest', 'authorization']

  /** Signed as it says, whatever that is. */
  function signed(covered: readonly string[], parameters = `;keyid="${keyid}";alg="ed25519";tag="microchat-member"`, label = 'member') {
    const input = `(${covered.map((name) => `"${name}"`).join(' ')})${parameters}`
    const base = [...covered.map((name) => `"${name}": ${values[name]}`), `"@signature-params": ${input}`].join('\n')
    const signature = sign(null, Buffer.from(base), privateKey).toString('base64')
    const headers = { ...fields, 'signature-input': `${label}=${input}`, signature: `${label}=:${signature}:` }
    return memberProof({ method: 'POST', targetUri: `https://hub.invalid${path}`, headers })
  }

  it('holds if it is signed as it has to be', () => {
    const proof = signed(COVERED)
    expect(proof.kind === 'proof' && proof.holds()).toBe(true)
    expect(proof).toMatchObject({ publicKey: rawKey(publicKey) })
  })
  it.each([
    ['without the token', ['@method', '@path', 'content-digest'], undefined],
    ['without the ciphertext', ['@method', '@path', 'authorization'], undefined],
    ['without group and epoch', ['@method', 'content-digest', 'authorization'], undefined],
    ['with more, which tells posts apart', [...COVERED, 'date'], undefined],
    ['in another order, which does, too', COVERED.toReversed(), undefined],
    ['with a time', COVERED, `;keyid="${keyid}";alg="ed25519";tag="microchat-member";created=1`],
    ['with a nonce', COVERED, `;keyid="${keyid}";alg="ed25519";tag="microchat-member";nonce="x"`],
    ['with another tag', COVERED, `;keyid="${keyid}";alg="ed25519";tag="mimi-request"`],
    ['without a tag', COVERED, `;keyid="${keyid}";alg="ed25519"`],
    ['of another algorithm', COVERED, `;keyid="${keyid}";alg="rsa-pss-sha512";tag="microchat-member"`],
    ['without a key', COVERED, `;alg="ed25519";tag="microchat-member"`],
    ['of a key that is too short', COVERED, `;keyid="AAAA";alg="ed25519";tag="microchat-member"`],
  ])('is faulty %s, however well it is signed', (_how, covered, parameters) => {
    expect(signed(covered, parameters).kind).toBe('faulty')
  })
  it('is faulty under another label', () => {
    expect(signed(COVERED, undefined, 'mimi').kind).toBe('faulty')
  })
})

describe('the proof of who has a sender key', () => {
  const claim = { groupId: Buffer.from('group'), epoch: 1n, user: 'mimi://a.example/u/alice' }

  it('holds for its group, epoch, user and key', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const whole = { ...claim, publicKey: rawKey(publicKey) }
    const proof = sign(null, possessionBytes(whole), privateKey)
    expect(provesPossession(whole, proof)).toBe(true)
    const others = [
      { groupId: Buffer.from('other') },
      { epoch: 2n },
      { user: 'mimi://a.example/u/bob' },
      { publicKey: new Uint8Array(32).fill(1) },
    ]
    for (const other of others) expect(provesPossession({ ...whole, ...other }, proof)).toBe(false)
  })
  it('is nobody’s under a key of small order, where one signature fits everything', () => {
    const identity = Uint8Array.of(1, ...new Uint8Array(31))
    // R is the neutral element and S is zero: the equation of RFC 8032 §5.1.7 holds for any message.
    const proof = Uint8Array.of(...identity, ...new Uint8Array(32))
    expect(provesPossession({ ...claim, publicKey: identity }, proof)).toBe(false)
  })
})
