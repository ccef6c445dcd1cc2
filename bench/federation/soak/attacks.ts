import { randomBytes } from 'node:crypto'
import type { Answer, HostileProvider, Told, Victim } from '../../../test/federation/hostile/peer/hostile-provider.js'
import { keyMaterialRequest, newClient, opaque } from '../../../test/federation/hostile/peer/tls.js'

/** One request of the hostile provider to a victim. */
export interface Attack {
  readonly name: string
  /** It never counts as the provider's own request, so that it is counted by address. */
  readonly isUnverified?: true
  run(provider: HostileProvider, victim: Victim, index: number): Promise<Told>
}

const NOTHING = new Uint8Array()
const MEBIBYTE = Buffer.alloc(1024 * 1024)
const ROOM = 'mimi://c.example/r/trap'
const user = (victim: Victim, index: number) => `mimi://${victim.domain}/u/user${index % 5}`
const hosted = (victim: Victim) => `mimi://${victim.domain}/r/soak`
const own = (index: number) => `mimi://c.example/d/mallory${index}/phone`
const uint64 = (value: number) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** By turns. What they are is in test/federation/hostile/; here they only have to cost as much as a peer may make them cost. */
export const ATTACKS: readonly Attack[] = [
  { name: 'looks for users', run: (c, v, i) => c.ask(v, 'directory', user(v, i), NOTHING) },
  { name: 'looks for device lists', run: (c, v, i) => c.ask(v, 'deviceList', user(v, i), NOTHING) },
  {
    name: 'claims for an invented user',
    run: (c, v, i) => c.ask(v, 'keyMaterial', user(v, i), keyMaterialRequest(newClient('c.example', `mallory${i}`), user(v, i), ROOM)),
  },
  {
    name: 'claims for a user of a provider that is not there',
    run: (c, v, i) =>
      c.ask(v, 'keyMaterial', user(v, i), keyMaterialRequest(newClient(`127.0.3.${i % 250}:1`, 'mallory'), user(v, i), ROOM)),
  },
  { name: 'sends a batch of noise', run: (c, v) => c.ask(v, 'notify', ROOM, randomBytes(4_096)) },
  { name: 'sends a batch of a mebibyte', run: (c, v) => c.ask(v, 'notify', ROOM, MEBIBYTE) },
  {
    name: "deletes another hub's room",
    run: (c, v) => c.ask(v, 'deleteRoom', hosted(v), Buffer.concat([opaque(hosted(v)), opaque('soak')])),
  },
  {
    name: 'deletes rooms that nobody knows',
    run: (c, v, i) => c.ask(v, 'deleteRoom', ROOM, Buffer.concat([opaque(ROOM), opaque(`trap ${i}`)])),
  },
  { name: 'asks for a room', run: (c, v) => c.ask(v, 'room', hosted(v), NOTHING) },
  { name: 'asks for a log', run: (c, v, i) => c.ask(v, 'log', hosted(v), Buffer.concat([opaque('soak'), uint64(i)])) },
  {
    name: 'acts in a room that is not there',
    run: (c, v, i) => c.ask(v, 'operation', `mimi://${v.domain}/r/no${i}`, operation(i, 'policy')),
  },
  { name: 'says that a device was revoked', run: (c, v, i) => c.ask(v, 'operation', hosted(v), operation(i, 'revoked')) },
  { name: 'posts noise', run: (c, v) => c.ask(v, 'submitMessage', hosted(v), randomBytes(65_536)) },
  { name: 'commits noise', run: (c, v) => c.ask(v, 'update', hosted(v), randomBytes(65_536)) },
  { name: 'asks for a GroupInfo', run: (c, v) => c.ask(v, 'groupInfo', hosted(v), randomBytes(512)) },
  { name: 'asks for consent', run: (c, v) => c.ask(v, 'requestConsent', v.domain, randomBytes(200)) },
  { name: 'queries for identifiers', run: (c, v) => c.ask(v, 'identifierQuery', v.domain, randomBytes(200)) },
  { name: 'reports abuse', run: (c, v) => c.ask(v, 'reportAbuse', hosted(v), randomBytes(500)) },
  { name: 'asks for token keys', run: (c, v) => c.ask(v, 'tokenDirectory', v.domain, NOTHING) },
  { name: 'asks for tokens', run: (c, v) => c.ask(v, 'issueTokens', v.domain, randomBytes(13_000)) },
  { name: 'posts sealed noise', run: (c, v) => c.ask(v, 'submitSealed', v.domain, randomBytes(16_384)) },
  {
    name: 'repeats a nonce',
    isUnverified: true,
    run: (c, v) => c.ask(v, 'room', hosted(v), NOTHING, { nonce: 'a-nonce-that-comes-again' }),
  },
  { name: 'signs with an unknown key', isUnverified: true, run: (c, v, i) => c.ask(v, 'room', hosted(v), NOTHING, { keyId: `k${i}` }) },
  {
    name: 'claims to be others',
    isUnverified: true,
    run: (c, v, i) => c.ask(v, 'room', hosted(v), NOTHING, { domain: `127.0.4.${i % 250}:1` }),
  },
  {
    name: 'sends a signature over another body',
    isUnverified: true,
    run: (c, v) => c.ask(v, 'log', hosted(v), randomBytes(60), { sent: randomBytes(60) }),
  },
]

function operation(index: number, name: string): Buffer {
  return Buffer.concat([opaque(name), opaque(own(index)), opaque('soak'), opaque(Buffer.of(0xa0))])
}

/** Whatever it is asked, it answers at length, wrongly, or not at all. */
export function answering(endpoint: string): Answer | 'hang up' | undefined {
  const chance = Math.random()
  if (chance < 0.1) return undefined
  if (chance < 0.2) return 'hang up'
  if (chance < 0.4) return { status: 500 }
  return { status: 200, body: endpoint === 'directory' ? Buffer.alloc(1024 * 1024, 0x80) : randomBytes(1_000) }
}
