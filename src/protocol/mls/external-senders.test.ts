import { describe, expect, it } from '@jest/globals'
import { decodeExternalSenders, encodeExternalSenders, externalSendersExtension, type ExternalSender } from './external-senders.js'

const senders: ExternalSender[] = [
  { signatureKey: new Uint8Array([1, 2]), credential: { kind: 'basic', identity: new Uint8Array([3]) } },
  { signatureKey: new Uint8Array([4]), credential: { kind: 'x509', certificates: [new Uint8Array([5]), new Uint8Array()] } },
  { signatureKey: new Uint8Array(), credential: { kind: 'other', type: 0x0a0a, data: new Uint8Array([6]) } },
]

describe('the external_senders extension', () => {
  it.each([0, 1, 2, 3])('is a vector, here of %i', (count) => {
    const listed = senders.slice(0, count)
    expect(decodeExternalSenders(encodeExternalSenders(listed))).toEqual({ kind: 'decoded', value: listed })
    expect(externalSendersExtension(listed)).toEqual({ type: 5, data: encodeExternalSenders(listed) })
  })

  it('is not a bare ExternalSender, as some libraries write it', () => {
    const vector = encodeExternalSenders(senders.slice(0, 1))
    expect(decodeExternalSenders(vector.subarray(1))).toMatchObject({ kind: 'malformed' })
  })
})
