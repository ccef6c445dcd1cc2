import { LRUCache } from 'lru-cache'
import { numberOf, type DescribedLimit } from '../../platform/limits/described-limit.js'

const CLOSED = 'the connection is closed'

/** Rows of docs/limits.md: the listener with mutual TLS. */
export const DRAFT_CONNECTIONS = {
  handshakes: {
    name: 'draft-handshakes',
    holder: 'process',
    what: 'connections of peers of the draft that have not shown a certificate yet, for three seconds at most',
    value: 128,
    refusal: CLOSED,
  },
  ofStrangers: {
    name: 'draft-handshakes-of-strangers',
    holder: 'process',
    what: 'the same, of addresses from which no peer has shown its certificate within the last day',
    value: 96,
    refusal: CLOSED,
  },
  ofAddress: {
    name: 'draft-handshakes-of-address',
    holder: 'address',
    what: 'the same, of one address; each counts as a request that is not verified, too, until the certificate of a peer is shown',
    value: 8,
    refusal: CLOSED,
  },
  ofPeer: {
    name: 'draft-connections-of-peer',
    holder: 'peer',
    what: 'connections with the certificate of a peer of the draft',
    value: 64,
    refusal: CLOSED,
  },
} as const satisfies Record<string, DescribedLimit>

const KNOWN = { max: 1_000, ttl: 86_400_000 }

/**
 * Which connections the listener for peers of the draft holds: few that have shown nothing yet, and of each peer as many as it may have. Who is no peer
 * takes no place of one, and the last places for handshakes are for addresses of peers.
 */
export class DraftConnections {
  private readonly handshakes = new Map<string, number>()
  private readonly ofPeer = new Map<string, number>()
  /** Addresses from which a peer has shown its certificate. */
  private readonly known = new LRUCache<string, true>(KNOWN)
  private waiting = 0

  private readonly most = {
    handshakes: numberOf(DRAFT_CONNECTIONS.handshakes),
    ofStrangers: numberOf(DRAFT_CONNECTIONS.ofStrangers),
    ofAddress: numberOf(DRAFT_CONNECTIONS.ofAddress),
    ofPeer: numberOf(DRAFT_CONNECTIONS.ofPeer),
  }

  /** @param address as `addressGroup` has it @returns how to end the handshake, once or more often; undefined: too many are there */
  shake(address: string): (() => void) | undefined {
    const { handshakes, ofStrangers, ofAddress } = this.most
    const own = this.handshakes.get(address) ?? 0
    const most = this.known.has(address) ? handshakes : Math.min(handshakes, ofStrangers)
    if (this.waiting >= most || own >= ofAddress) return undefined
    this.waiting += 1
    return counted(this.handshakes, address, () => (this.waiting -= 1))
  }

  /** @param peer domain @returns how to end the connection; undefined: the peer has as many as it may have */
  connect(address: string, peer: string): (() => void) | undefined {
    this.known.set(address, true)
    return (this.ofPeer.get(peer) ?? 0) >= this.most.ofPeer ? undefined : counted(this.ofPeer, peer)
  }
}

/** Counts one more. @returns how to count it no longer, which counts once */
function counted(counts: Map<string, number>, key: string, ended: () => void = () => undefined): () => void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    const left = (counts.get(key) ?? 1) - 1
    if (left > 0) counts.set(key, left)
    else counts.delete(key)
    ended()
  }
}
