// Signs a challenge for a login, a registration, a new device or a new key with an Ed25519 key, for the tour with curl (docs/api-tour.md). Needs nothing but Node.
//
//   node examples/login-proof.mjs KEY.pem CLIENT_URI < challenge.json
//
// prints {"public_key", "proof"}: SignWithLabel (RFC 9420 §5.1.2) over the DeviceLogin struct of src/protocol/device-login.ts.
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [keyFile, client] = process.argv.slice(2)
const { domain, nonce, expires_at: expiresAt, label } = JSON.parse(readFileSync(0, 'utf8'))
/** A server does not choose what this key signs. */
if (!/^MicroChat (Device Login|Registration|New Device|New Key)$/.test(label)) throw new Error(`Not signing under ${label}`)
const key = createPrivateKey(readFileSync(keyFile))

/** `opaque<V>` with the length header of RFC 9420 §2.1.2; nothing here is longer than 16383 bytes. */
const opaque = (bytes) => {
  const header = bytes.length < 64 ? [bytes.length] : [0x40 | (bytes.length >> 8), bytes.length & 0xff]
  return Buffer.concat([Buffer.from(header), bytes])
}
const seconds = Buffer.alloc(8)
seconds.writeBigUInt64BE(BigInt(expiresAt))

const login = Buffer.concat([opaque(Buffer.from(domain)), opaque(Buffer.from(client)), opaque(Buffer.from(nonce, 'base64url')), seconds])
const signed = Buffer.concat([opaque(Buffer.from(`MLS 1.0 ${label}`)), opaque(login)])

const publicKey = createPublicKey(key).export({ format: 'jwk' }).x
console.log(
  JSON.stringify({
    public_key: publicKey,
    proof: sign(null, signed, key).toString('base64url'),
  }),
)
