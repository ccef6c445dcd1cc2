// A web page's own client, with nothing but what browsers have: it registers with a key of WebCrypto, logs in, opens the stream and posts. Its
// session is bound to another key, which no script can read.
// `browser.test.ts` serves it from another origin than the server's, and hears from it by POST /done.

const server = new URL(location.href).searchParams.get('server')
const [user, client] = ['mimi://localhost/u/page', 'mimi://localhost/d/page/browser']
const ED25519 = 0x0807

const bytesOf = (text) => new TextEncoder().encode(text)
const concat = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]))
const toBase64url = (bytes) => new Uint8Array(bytes).toBase64({ alphabet: 'base64url', omitPadding: true })
const fromBase64url = (text) => Uint8Array.fromBase64(text, { alphabet: 'base64url' })
/** `opaque<V>` of RFC 9420 §2.1.2, for up to 16383 bytes. */
const opaque = (bytes) => concat(bytes.length < 64 ? [bytes.length] : [0x40 | (bytes.length >> 8), bytes.length & 0xff], bytes)

const proofKey = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])

/** A proof of possession for one request (RFC 9449 §4.2). */
async function proofFor(htm, path, token) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', proofKey.publicKey)
  const hash = async () => toBase64url(await crypto.subtle.digest('SHA-256', bytesOf(token)))
  const claims = {
    htm,
    htu: server + path,
    iat: Math.floor(Date.now() / 1000),
    jti: crypto.randomUUID(),
    ...(token && { ath: await hash() }),
  }
  const parts = [{ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }, claims]
  const signed = parts.map((part) => toBase64url(bytesOf(JSON.stringify(part)))).join('.')
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, proofKey.privateKey, bytesOf(signed))
  return `${signed}.${toBase64url(signature)}`
}

async function call(method, path, { body, token } = {}) {
  const response = await fetch(`${server}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      dpop: await proofFor(method, path, token),
      ...(token === undefined ? {} : { authorization: `DPoP ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

const LABELS = { login: 'MicroChat Device Login', registration: 'MicroChat Registration' }

/** The nonce of a new challenge, and this key's signature over it (src/protocol/device-login.ts). */
async function prove(purpose, { privateKey }) {
  const { nonce, domain, expires_at: expiresAt } = (await call('POST', '/v1/auth/challenges', { body: { client, purpose } })).body
  const deadline = new Uint8Array(8)
  new DataView(deadline.buffer).setBigUint64(0, BigInt(expiresAt))
  const login = concat(opaque(bytesOf(domain)), opaque(bytesOf(client)), opaque(fromBase64url(nonce)), deadline)
  const signed = concat(opaque(bytesOf(`MLS 1.0 ${LABELS[purpose]}`)), opaque(login))
  return { nonce, proof: toBase64url(await crypto.subtle.sign('Ed25519', privateKey, signed)) }
}

/** @returns the first byte of the first frame (a CBOR map), or the code with which the stream was closed */
async function openStream(token) {
  const protocols = ['microchat.v1', `bearer.${token}`, `dpop.${await proofFor('GET', '/v1/stream', token)}`]
  return new Promise((resolve) => {
    const socket = new WebSocket(`${server.replace(/^http/, 'ws')}/v1/stream`, protocols)
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }) => {
      resolve({ protocol: socket.protocol, firstByte: new Uint8Array(data)[0] })
      socket.close()
    })
    socket.addEventListener('close', ({ code }) => resolve({ closed: code }))
  })
}

async function run() {
  const key = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
  const publicKey = toBase64url(await crypto.subtle.exportKey('raw', key.publicKey))
  const first = await prove('registration', key)
  const signatureKeys = [{ scheme: ED25519, public_key: publicKey, proof: first.proof }]
  const registered = await call('POST', '/v1/accounts', { body: { user, client, nonce: first.nonce, signature_keys: signatureKeys } })
  const session = await call('POST', '/v1/auth/sessions', { body: { client, public_key: publicKey, ...(await prove('login', key)) } })
  const token = session.body.access_token
  const posted = await call('POST', '/v1/events/acks', { token, body: { acks: [], inbox: [] } })
  const put = await call('PUT', '/v1/me/searchable', { token, body: { searchable: false } })
  const stranger = await call('GET', '/v1/devices')
  const missing = await call('DELETE', '/v1/nothing', { token })
  return {
    statuses: [registered, session, posted, put, stranger, missing].map(({ status }) => status),
    problems: [stranger, missing].map(({ body }) => body.type),
    read: [stranger.headers.get('www-authenticate'), missing.headers.get('x-request-id') !== null],
    stream: await openStream(token),
  }
}

const result = await run().catch((error) => ({ error: String(error) }))
await fetch('/done', { method: 'POST', body: JSON.stringify(result) })
