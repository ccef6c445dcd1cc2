import { createHash } from 'node:crypto'
import { HostileProvider, type Told, type Victim } from './hostile-provider.js'
import { chains, headBytes, headOf, initialChain, notifyBatch, type Batch, type Entry } from './log.js'
import { externalCommit, privateMessage, u32, type Place } from './mls.js'
import { keyMaterialRequest, newClient } from './tls.js'

const u8 = (...numbers: number[]) => Buffer.from(numbers)
const u16 = (number: number) => Buffer.of(number >> 8, number & 0xff)
const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()

export interface HostileEntry extends Omit<Entry, 'epoch'> {
  readonly epoch: number
}

export interface SaidChange {
  readonly seq: number
  readonly client: string
  readonly change?: 'joined' | 'left'
}

export interface SaidWelcome {
  readonly seq: number
  readonly clients: readonly string[]
  readonly message: Uint8Array
}

/** What goes into a batch beside the entries. */
export interface Said {
  readonly roster?: readonly SaidChange[]
  readonly welcomes?: readonly SaidWelcome[]
  readonly gap?: Batch['gap']
}

/** A group at a hostile hub: it keeps a chain, and says of it what it likes. */
export class HostileGroup {
  seq = 0
  epoch = 0
  chain: Buffer

  constructor(
    readonly hub: HostileProvider,
    readonly groupId: Uint8Array,
    readonly roomId = `mimi://${hub.domain}/r/${Buffer.from(groupId).toString('hex')}`,
    readonly mode: 'public' | 'private' = 'private',
  ) {
    this.chain = initialChain(groupId, 1)
  }

  get place(): Place {
    return { groupId: this.groupId, epoch: this.epoch }
  }

  /** A batch with these entries at the end of the log. Only what is taken moves the end. @returns status, and code or problem */
  async push(victim: Victim, entries: readonly HostileEntry[], said: Said = {}): Promise<string> {
    const firstSeq = this.seq + 1
    const body = this.batch(victim.domain, entries, said)
    const told = await this.hub.ask(victim, 'notify', this.roomId, body.bytes)
    const code = codeOf(told)
    if (code === 'received') {
      this.seq = firstSeq + entries.length - 1
      this.chain = body.chain
      this.epoch += entries.filter(({ kind }) => kind === 'commit').length
    }
    return code
  }

  /** The same, with a Commit that nobody can read and what is said of it. */
  commit(victim: Victim, said: Said = {}, message = privateMessage(this.place, 'commit')): Promise<string> {
    return this.push(victim, [{ kind: 'commit', epoch: this.epoch, message }], said)
  }

  /** A Commit by which the client leaves. */
  remove(victim: Victim, client: string): Promise<string> {
    return this.commit(victim, { roster: [{ seq: this.seq + 1, client, change: 'left' }] })
  }

  /** A Commit that adds the client, with a Welcome. */
  add(victim: Victim, client: string, welcome: Uint8Array, message?: Buffer): Promise<string> {
    const seq = this.seq + 1
    return this.commit(victim, { roster: [{ seq, client }], welcomes: [{ seq, clients: [client], message: welcome }] }, message)
  }

  /** A Commit by which the client is said to have come from outside. */
  joinFromOutside(
    victim: Victim,
    client: string,
    message: Buffer = externalCommit(this.place, client, Buffer.alloc(32, 7)),
  ): Promise<string> {
    return this.commit(victim, { roster: [{ seq: this.seq + 1, client }], gap: this.seq === 0 ? 'none' : 'rejoined' }, message)
  }

  say(victim: Victim): Promise<string> {
    return this.push(victim, [{ kind: 'application', epoch: this.epoch, message: privateMessage(this.place, 'application') }])
  }

  /** `NotifyBatch` for a follower, with a head that is signed. */
  batch(
    follower: string,
    entries: readonly HostileEntry[],
    { roster = [], welcomes = [], gap = 'none' }: Said = {},
  ): { bytes: Buffer; chain: Buffer } {
    const batch: Batch = {
      groupId: this.groupId,
      room: this.roomId,
      mode: this.mode,
      suite: 1,
      incarnation: 1,
      postFloor: 0n,
      gap,
      firstSeq: BigInt(this.seq + 1),
      previousChain: this.chain,
      entries: entries.map(({ epoch, ...entry }) => ({ ...entry, epoch: BigInt(epoch) })),
      roster: roster.map(({ seq, client, change = 'joined' }) => ({ seq: BigInt(seq), joined: change === 'joined', client })),
      welcomes: welcomes.map(({ seq, clients, message }) => ({
        seq: BigInt(seq),
        epoch: BigInt((entries[seq - this.seq - 1]?.epoch ?? this.epoch) + 1),
        clients,
        welcome: message,
      })),
    }
    const signedAtMs = BigInt(Date.now())
    const head = headOf(batch, { hub: this.hub.domain, follower, at: signedAtMs })
    return { bytes: notifyBatch(batch, { signedAtMs, ...this.hub.sign(headBytes(head)) }), chain: chains(batch).at(-1) ?? this.chain }
  }
}

/** `received`, `have`, `stopped`, or the problem. */
export function codeOf({ status, body, problem }: Told): string {
  if (status !== 200) return problem ?? String(status)
  return ['received', 'have', 'stopped'][body[0] ?? 9] ?? 'garbled'
}

/**
 * A KeyPackage of the user's only device, as the provider hands it out for a room of this hub to a client that the hub has invented.
 * @returns the KeyPackage, without the framing of an MLSMessage
 */
export async function claimFor(hub: HostileProvider, victim: Victim, user: string, roomId: string): Promise<Buffer> {
  const claimer = newClient(hub.domain, `mallory-${sha256(Buffer.from(roomId)).toString('hex').slice(0, 8)}`)
  const directory = cbor({ devices: [{ client: claimer.client, signature_keys: [{ public_key: claimer.key.raw, valid_from: 1 }] }] })
  const { answering } = hub
  hub.answering = (endpoint, body, url) => (endpoint === 'directory' ? { status: 200, body: directory } : answering(endpoint, body, url))
  const told = await hub.ask(victim, 'keyMaterial', user, keyMaterialRequest(claimer, user, roomId))
  hub.answering = answering
  // Protocol, status, user, then a vector with one client: status, URI, KeyPackage.
  const [, afterUser] = readOpaque(told.body, 2)
  const [clients] = readOpaque(told.body, afterUser)
  if (told.status !== 200 || clients.length === 0)
    throw new Error(`no KeyPackage: ${told.status} ${told.problem} ${told.body.toString('hex')}`)
  const [, afterUri] = readOpaque(clients, 1)
  return clients.subarray(afterUri)
}

function readOpaque(bytes: Buffer, at: number): [content: Buffer, end: number] {
  const first = bytes[at] ?? 0
  const size = 1 << (first >> 6)
  const length = bytes.readUIntBE(at, size) % 2 ** (8 * size - 2)
  const start = at + size
  return [bytes.subarray(start, start + length), start + length]
}

type Cbor = number | string | Uint8Array | readonly Cbor[] | { readonly [key: string]: Cbor }

/** RFC 8949, as far as answers here need it. */
export function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)])
  const entries = Object.entries(value)
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([key, item]) => [cbor(key), cbor(item)])])
}

function head(major: number, number: number): Buffer {
  if (number < 24) return u8((major << 5) | number)
  if (number < 256) return u8((major << 5) | 24, number)
  if (number < 65_536) return Buffer.concat([u8((major << 5) | 25), u16(number)])
  return Buffer.concat([u8((major << 5) | 26), u32(number)])
}
