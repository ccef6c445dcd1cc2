import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common'
import type { Logger } from 'pino'
import { CONFIG, type Config } from '../../../platform/config/config.js'
import { Unavailable } from '../../../platform/http/problem.js'
import { LOG } from '../../../platform/observability/log.js'
import { Metrics } from '../../../platform/observability/metrics.js'
import { inSlices } from '../../../platform/workers/slices.js'
import { WorkerFailure, workerFile, WorkerPool } from '../../../platform/workers/worker-pool.js'
import { WorkerTime } from '../../../platform/workers/worker-time.js'
import { parseUserUri } from '../../../protocol/identifiers.js'
import { HASH_OF_SUITE } from '../../../protocol/mls/hashes.js'
import type { GroupInfo } from '../../../protocol/mls/structures/group-info.js'
import { decodeRatchetTree, decodeRatchetTreeInSteps, type TreeNodes } from '../../../protocol/mls/structures/ratchet-tree.js'
import { brokenBeforeHashing, seed, seededState, type Scrutiny, type Seeded } from '../../../protocol/public-group/seed.js'
import { deserialize, deserializeInSteps, serialize, serializeInSteps } from '../../../protocol/public-group/snapshot.js'
import { refused, treeBytes, treeBytesInSteps, type PublicGroupState, type Refused } from '../../../protocol/public-group/state.js'
import { Tree } from '../../../protocol/public-group/tree/tree.js'
import type { Steps } from '../../../protocol/steps.js'
import type { Decoded } from '../../../protocol/tls/reader.js'
import { TlsWriter } from '../../../protocol/tls/writer.js'
import type { Examined, SeedTask } from './tree-worker.js'

/** Some 200 members. Smaller trees take the event loop a few milliseconds, and a thread no less. */
export const LARGE_TREE_BYTES = 64 * 1024
/** What a tree of the largest size takes many times over, also while its signatures are checked. */
const LIMITS = { threads: 2, queue: 2, heapMegabytes: 512 }

const LARGE_TREE_LEAVES = 256

/** A ratchet tree as it came (RFC 9420 §12.4.3.3), and decoded. */
export interface EncodedTree {
  readonly bytes: Uint8Array
  readonly nodes: TreeNodes
}

/**
 * Whatever takes long with a tree of thousands of members, kept off the event loop: hashes, signatures and rules are worker
 * threads' work, and what has to be made here of their answer is made by slices (ADR 17). Both in turns, and on the account of
 * who pays (`WorkerTime.chargeTo`). Small trees are processed at once.
 */
@Injectable()
export class LargeTrees implements OnApplicationShutdown {
  private readonly workers = new WorkerPool(workerFile(import.meta.url, 'tree-worker'), LIMITS)
  private readonly threads
  private readonly slices
  private readonly failures

  constructor(
    metrics: Metrics,
    @Inject(LOG) private readonly log: Logger,
    private readonly time: WorkerTime,
    @Inject(CONFIG) private readonly config: Pick<Config, 'DOMAIN'>,
  ) {
    this.threads = time.newQueue(LIMITS.threads)
    this.slices = time.newQueue(1)
    this.failures = metrics.counter('tree_worker_failures_total', 'Large trees that no worker thread looked at to the end')
    metrics.gauge(
      'tree_workers_busy',
      'Large trees that worker threads look at or that wait for one',
      () => this.workers.busy + this.threads.waiting,
    )
  }

  /**
   * What is long in `work` is on account of a user, or of the provider if that is another one: who invents users there pays for them.
   * @param user URI
   * @throws RateLimited, when it comes to that, while the account is in debt
   */
  chargeTo<T>(user: string, work: () => Promise<T>): Promise<T> {
    const domain = parseUserUri(user)?.domain
    return this.time.chargeTo(domain === undefined || domain === this.config.DOMAIN ? user : domain, work)
  }

  async decode(bytes: Uint8Array): Promise<Decoded<TreeNodes>> {
    return isLarge(bytes) ? this.inSlices(decodeRatchetTreeInSteps(bytes)) : decodeRatchetTree(bytes)
  }

  /** @throws Unavailable if no thread could finish it */
  async deserialize(bytes: Uint8Array): Promise<Decoded<PublicGroupState>> {
    if (!isLarge(bytes)) return deserialize(bytes)
    const copy = new Uint8Array(bytes)
    const found = await this.ask<Examined>('readSnapshot', copy, [copy])
    return found.kind === 'malformed' ? found : this.inSlices(deserializeInSteps(bytes, found.hashes))
  }

  async serialize(state: PublicGroupState): Promise<Uint8Array> {
    return hasLargeTree(state) ? this.inSlices(serializeInSteps(state)) : serialize(state)
  }

  /** The ratchet tree, encoded for joiners. */
  async treeBytes(state: PublicGroupState): Promise<Uint8Array> {
    return hasLargeTree(state) ? this.inSlices(treeBytesInSteps(state)) : treeBytes(state)
  }

  /** @throws Unavailable if no thread could finish it */
  async seed(groupInfo: GroupInfo, tree: EncodedTree, scrutiny: Scrutiny): Promise<Seeded> {
    const algorithm = HASH_OF_SUITE.get(groupInfo.groupContext.cipherSuite)
    if (!isLarge(tree.bytes) || algorithm === undefined) return seed({ groupInfo, ratchetTree: tree.nodes, scrutiny })
    const broken = await brokenBeforeHashing({ groupInfo, ratchetTree: tree.nodes, scrutiny })
    if (broken !== undefined) return refused(broken)
    const encoded = new TlsWriter().raw(groupInfo.tbs).opaque(groupInfo.signature).written()
    const task = { groupInfo: encoded, ratchetTree: new Uint8Array(tree.bytes), scrutiny } satisfies SeedTask
    const found = await this.ask<Examined | Refused>('seedTree', task, [task.groupInfo, task.ratchetTree])
    if (found.kind === 'refused') return found
    if (found.kind === 'malformed') throw new Error(`A tree that was decoded does not decode in a worker thread: ${found.reason}`)
    return { kind: 'seeded', state: seededState(groupInfo, await this.inSlices(Tree.inSteps(algorithm, tree.nodes, found.hashes))) }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.workers.close()
  }

  private inSlices<T>(steps: Steps<T>): Promise<T> {
    return this.time.runInTurn(this.slices, (took) => inSlices(steps, took))
  }

  private ask<Answer>(name: string, task: unknown, moved: readonly Uint8Array[]): Promise<Answer> {
    const transfer = moved.map(({ buffer }) => buffer as ArrayBuffer)
    return this.time.runInTurn(this.threads, async (took) => {
      const began = performance.now()
      try {
        return await this.workers.run<Answer>(name, task, transfer)
      } catch (error) {
        if (!(error instanceof WorkerFailure)) throw error
        this.failures.inc()
        this.log.error({ err: error }, 'a worker thread did not finish with a large tree')
        // Not done here instead: what has ended a thread could end the process.
        throw new Unavailable('The group is large, and the server is busy.')
      } finally {
        took(performance.now() - began)
      }
    })
  }
}

function hasLargeTree({ tree }: PublicGroupState): boolean {
  return tree.leafCount > LARGE_TREE_LEAVES
}

function isLarge(bytes: Uint8Array): boolean {
  return bytes.length > LARGE_TREE_BYTES
}
