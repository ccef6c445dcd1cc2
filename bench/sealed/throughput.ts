import { constants, createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject, type webcrypto } from 'node:crypto'
import { Agent, request as post } from 'node:http'
import { publicVerif } from '@cloudflare/privacypass-ts'
import { Pool } from 'pg'
import { createApplicationMessage, encodeMlsMessage } from 'ts-mls'
import { Client } from '../../examples/client/client.js'
import type { Group } from '../../examples/client/group.js'
import { suite } from '../../examples/client/mls/suites.js'
import { publishSenderKey, senderKey } from '../../examples/client/sealed/sender-key.js'
import { sealedRequest, type SealedRequest } from '../../examples/client/sealed/sealed-post.js'
import { toBase64Url, utf8 } from '../../examples/client/wire.js'
import { Secrets } from '../../src/platform/secrets.js'
import { blindSign } from '../../src/protocol/privacy-pass/issuance.js'
import { challengeDigest, isAuthentic, presentedToken } from '../../src/protocol/privacy-pass/token.js'
import { generateIssuerKey, tokenKeyOf } from '../../src/protocol/privacy-pass/issuer-key.js'
import { memberProof } from '../../src/protocol/sealed/member-proof.js'
import { Processes } from '../processes.js'
import { printTable, round } from '../samples.js'

/**
 * `npm run bench -- sealed/throughput`: what issuing and redeeming a token costs one core, natively and in the library's JavaScript; and
 * posts without a sender beside ordinary ones, through one server in the same run. Tokens are signed here, with the issuer's own
 * key: blinding so many in JavaScript would take longer than everything else.
 */
const SIGNATURES = 2_000
const IN_JAVASCRIPT = 20
const POSTS = 3_000
const WARM_UP = 300
const AT_ONCE = 64
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }

interface Key {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** The token that blinding, signing and unblinding would have made. */
function tokenOf({ privateKey, publicKey }: Key): Uint8Array {
  const { keyId } = tokenKeyOf(publicKey)
  const input = Buffer.concat([Buffer.of(0, 2), randomBytes(32), challengeDigest('localhost'), keyId])
  return new Uint8Array(Buffer.concat([input, sign('sha384', input, { key: privateKey, ...PSS })]))
}

/** Runs of `work` in a second. */
async function perSecond(runs: number, work: () => unknown): Promise<number> {
  const began = performance.now()
  for (let run = 0; run < runs; run++) await work()
  return round((runs * 1000) / (performance.now() - began))
}

async function alone(key: Key): Promise<void> {
  const blinded = randomBytes(256).fill(0, 0, 1)
  const token = tokenOf(key)
  const presented = presentedToken(`PrivateToken token="${toBase64Url(token)}"`)
  if (!presented) throw new Error('The token is none')
  const library = new publicVerif.Issuer(
    publicVerif.BlindRSAMode.PSS,
    'localhost',
    await webKey(key.privateKey, 'pkcs8', ['sign']),
    await webKey(key.publicKey, 'spki', ['verify']),
  )
  const request = new publicVerif.TokenRequest(0, blinded, publicVerif.BLIND_RSA)
  const native = await perSecond(SIGNATURES, () => blindSign(key.privateKey, blinded))
  const slow = await perSecond(IN_JAVASCRIPT, () => library.issue(request))
  printTable([
    { 'one core': 'sign a blinded message (issue)', 'per second': native, 'times JavaScript': round(native / slow) },
    { 'one core': '  in JavaScript', 'per second': slow, 'times JavaScript': 1 },
    {
      'one core': 'verify a token (redeem), in the thread pool',
      'per second': await perSecond(SIGNATURES, () => isAuthentic(presented, key.publicKey)),
    },
    {
      'one core': '  on the thread itself',
      'per second': await perSecond(SIGNATURES, () =>
        verify('sha384', presented.input, { key: key.publicKey, ...PSS }, presented.authenticator),
      ),
    },
  ])
}

function webKey(key: KeyObject, format: 'pkcs8' | 'spki', usages: ('sign' | 'verify')[]): Promise<webcrypto.CryptoKey> {
  const der = new Uint8Array(key.export({ format: 'der', type: format } as never) as unknown as Buffer)
  return crypto.subtle.importKey(format, der, { name: 'RSA-PSS', hash: 'SHA-384' }, true, usages)
}

async function messagesOf(group: Group, count: number): Promise<Uint8Array[]> {
  const { impl } = await suite(group.record.suite)
  const messages: Uint8Array[] = []
  for (let index = 0; index < count; index++) {
    const made = await createApplicationMessage(group.record.state, utf8(`${index}`.padEnd(200)), impl)
    group.record.state = made.newState
    messages.push(encodeMlsMessage({ version: 'mls10', wireformat: 'mls_private_message', privateMessage: made.privateMessage }))
  }
  return messages
}

/** Posts in one second, `AT_ONCE` at a time. */
async function throughput(url: string, requests: readonly SealedRequest[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const waiting = [...requests]
  const lane = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await send(url, next, agent)
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  agent.destroy()
  return (requests.length * 1000) / (performance.now() - began)
}

function send(url: string, { path, headers, body }: SealedRequest, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = post(url + path, { method: 'POST', agent, headers: { ...headers, 'content-length': body.length } }, (answer) => {
      answer.resume().on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))))
    })
    sent.on('error', reject).end(body)
  })
}

async function posts(processes: Processes): Promise<void> {
  const [DATABASE_URL, SERVER_SECRET] = [await processes.postgres(), randomBytes(32).toString('base64')]
  const limits = {
    MESSAGES_PER_MINUTE: '1000000',
    SEALED_MESSAGES_PER_MINUTE: '1000000',
    LOGINS_PER_MINUTE: '100000',
    ANONYMOUS_PER_MINUTE: '1000000',
  }
  const url = await processes.server({ DATABASE_URL, SERVER_SECRET, ACCESS_TOKENS: 'bearer-allowed', ...limits })
  const client = await Client.create({ baseUrl: url, domain: 'localhost', user: 'alice', device: 'phone', suites: [1] })
  // Posts are made beforehand, and a proof of possession is good for a minute only.
  client.device.http.prover = undefined
  await client.device.register()
  const group = await client.createGroup({ groupId: utf8('bench'), mode: 'private' })
  await publishSenderKey(group)
  const key = await senderKey(group)
  const issuer = await issuerKeyOf(DATABASE_URL, SERVER_SECRET, url)
  const path = `/v1/groups/${toBase64Url(group.record.groupId)}/messages`
  const headers = { 'content-type': 'message/mls', authorization: `Bearer ${client.device.http.accessToken}` }
  const ordinary = (await messagesOf(group, POSTS + WARM_UP)).map((body): SealedRequest => ({ path, headers, body }))
  const sealed = (await messagesOf(group, POSTS + WARM_UP)).map((body) => {
    const token = { serialize: () => tokenOf(issuer) }
    return sealedRequest(group.record.groupId, key, token, body)
  })
  const proof = { method: 'POST', targetUri: `https://x${sealed[0]?.path}`, headers: sealed[0]?.headers ?? {} }
  await throughput(url, ordinary.splice(0, WARM_UP))
  await throughput(url, sealed.splice(0, WARM_UP))
  const [plain, blind] = [await throughput(url, ordinary), await throughput(url, sealed)]
  printTable([
    { [`${AT_ONCE} at once, one group`]: 'ordinary posts', 'per second': round(plain), 'of ordinary': 1 },
    { [`${AT_ONCE} at once, one group`]: 'posts without a sender', 'per second': round(blind), 'of ordinary': round(blind / plain) },
    {
      [`${AT_ONCE} at once, one group`]: 'member proofs checked, one core',
      'per second': await perSecond(SIGNATURES, () => {
        const claimed = memberProof(proof)
        if (claimed.kind === 'faulty' || !claimed.holds()) throw new Error('The proof does not hold')
      }),
    },
  ])
}

/** As the server itself opens it. */
async function issuerKeyOf(databaseUrl: string, secret: string, url: string): Promise<Key> {
  await fetch(`${url}/.well-known/private-token-issuer-directory`)
  const pool = new Pool({ connectionString: databaseUrl, max: 1 })
  const { rows } = await pool.query<{ sealed: Buffer }>('SELECT sealed_private AS sealed FROM issuer_key ORDER BY issues_from LIMIT 1')
  await pool.end()
  const pkcs8 = new Secrets({ SERVER_SECRET: secret }).open('issuer key', rows[0]?.sealed ?? Buffer.alloc(0))
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

await alone(await generateIssuerKey())
const processes = await Processes.start()
try {
  await posts(processes)
} finally {
  await processes.stop()
}
