import { readFileSync } from 'node:fs'
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../platform/config/config.js'
import { LOG } from '../../platform/observability/log.js'
import { parseRanges } from '../outbound/address-policy.js'
import { OUTBOUND_LIMITS, PeerHttp } from '../outbound/peer-http.js'
import { certificateFault, hostOf, shownOn } from './certificate-trust.js'
import { DRAFT_ENDPOINTS } from './draft-endpoints.js'
import { DraftPeers } from './draft-peers.js'

const GOOD_MS = 3_600_000
/** While it cannot be fetched, it is asked for as often. */
const AGAIN_MS = 10_000
const TEMPLATE = /^https:[\x21-\x7e]{1,1024}$/

export interface DraftDirectory {
  readonly endpoints: Readonly<Record<string, string>>
  /** It has a key directory: the peer speaks the profile of this server, and is asked in that. */
  readonly isSigned: boolean
}

interface Known {
  directory: DraftDirectory | undefined
  goodUntil: number
  loading?: Promise<void>
}

/** Connections to the peers of the draft, and their directories. Everything, a directory too, comes over TLS in which both sides show certificates. */
@Injectable()
export class DraftDirectories implements OnApplicationShutdown {
  private readonly clients = new Map<string, PeerHttp>()
  private readonly directories = new Map<string, Known>()

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly peers: DraftPeers,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.clients.values()].map((http) => http.close()))
  }

  /** Whether a provider is spoken to in the draft: the operator says so, and it shows no signed keys. */
  async speaksDraft(domain: string): Promise<boolean> {
    return this.peers.has(domain) && (await this.of(domain))?.isSigned !== true
  }

  /** Undefined while it cannot be fetched for the first time. What was fetched stays in force until there is a newer one, for which nobody waits. */
  async of(domain: string): Promise<DraftDirectory | undefined> {
    const known = this.entryOf(domain)
    if (!known.directory) await known.loading
    return known.directory
  }

  /** The same without waiting: what is there, while it is fetched if that is due. */
  known(domain: string): DraftDirectory | undefined {
    return this.entryOf(domain).directory
  }

  private entryOf(domain: string): Known {
    const known: Known = this.directories.get(domain) ?? { directory: undefined, goodUntil: -Infinity }
    this.directories.set(domain, known)
    if (performance.now() >= known.goodUntil) {
      const fetching = async () => {
        try {
          return await this.fetch(domain)
        } catch (error) {
          this.log.warn({ peer: domain, err: error }, 'the directory of a peer of the draft cannot be fetched')
          return undefined
        }
      }
      known.loading ??= fetching().then((fetched) => {
        known.directory = fetched ?? known.directory
        known.goodUntil = performance.now() + (fetched ? GOOD_MS : AGAIN_MS)
        delete known.loading
      })
    }
    return known
  }

  /** The connections to a peer, on which it shows the certificate that is known for it. */
  connectionsTo(domain: string): PeerHttp {
    const known = this.clients.get(domain) ?? this.client(domain)
    this.clients.set(domain, known)
    return known
  }

  private client(domain: string): PeerHttp {
    const { FEDERATION_TLS_CERT: cert = '', FEDERATION_TLS_KEY: key = '', FEDERATION_ALLOWED_RANGES: ranges = [] } = this.config
    const trust = this.peers.trustOf(domain) ?? { pins: [], authorities: [] }
    const mine = ranges.filter(({ peer }) => peer === undefined || peer === domain)
    return new PeerHttp({
      ...OUTBOUND_LIMITS,
      plainHosts: new Set(),
      allowedRanges: parseRanges(mine.map(({ range }) => range)),
      tls: { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8'), ca: trust.authorities.map((one) => one.toString()) },
      judge: {
        serverName: hostOf(domain),
        fault: (socket) => {
          const shown = shownOn(socket)
          return shown ? certificateFault(shown, domain, trust, new Date()) : 'The peer shows no certificate.'
        },
      },
    })
  }

  private async fetch(domain: string): Promise<DraftDirectory | undefined> {
    const base = this.config.FEDERATION_PEER_URLS?.get(domain) ?? `https://${domain}`
    const url = `${base}/.well-known/mimi-protocol-directory`
    const headers = { accept: 'application/json', host: domain, from: `mimi@${this.config.DOMAIN}` }
    const outcome = await this.connectionsTo(domain).send({ method: 'GET', url, headers })
    return outcome.kind === 'answered' && outcome.status === 200 ? directoryIn(outcome.body) : undefined
  }
}

function directoryIn(body: Uint8Array): DraftDirectory | undefined {
  const document = json(body)
  if (typeof document !== 'object' || document === null) return undefined
  const members = new Map<string, unknown>(Object.entries(document))
  const endpoints = DRAFT_ENDPOINTS.flatMap((name): [string, string][] => {
    const template = members.get(name)
    return typeof template === 'string' && TEMPLATE.test(template) ? [[name, template]] : []
  })
  return { endpoints: Object.fromEntries(endpoints), isSigned: members.has('key_directory') }
}

function json(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch {
    return undefined // not JSON
  }
}
