import { randomBytes } from 'node:crypto'
import { grownGroup } from '../../../bench/public-group/grown-group.js'
import { LargeTrees } from '../../../src/groups/state/trees/large-trees.js'
import { checkKeyPackage } from '../../../src/key-packages/check-key-package.js'
import { MAX_KEY_PACKAGES_PER_UPLOAD } from '../../../src/key-packages/key-packages.dto.js'
import { createLog } from '../../../src/platform/observability/log.js'
import { Metrics } from '../../../src/platform/observability/metrics.js'
import { WorkerTime } from '../../../src/platform/workers/worker-time.js'
import { decodeMessage } from '../../../src/protocol/mls/message.js'
import { validateCommit } from '../../../src/protocol/public-group/commit.js'
import { serialize } from '../../../src/protocol/public-group/snapshot.js'
import { treeBytes } from '../../../src/protocol/public-group/state.js'
import { groupInfoMessage, publicMessage, ratchetTree } from '../../support/mls/follower.js'
import { forgeGroupInfo, forgeKeyPackage, forgeWelcome, newKey, type Forge } from '../../support/mls/forge.js'
import { byValue, proposals } from '../../support/mls/proposals.js'
import { right, type Piece, type Place } from './piece.js'

const LARGE = 2_000
/** The largest tree that is still processed at once. */
const SMALL = 180
const ADDS = 2_000

const metrics = new Metrics()
/** Large trees with a budget that no piece uses up; ended by `closeTrees`. */
const trees = new LargeTrees(metrics, createLog({ LOG_LEVEL: 'silent' }), new WorkerTime({ WORKER_TIME_PER_MINUTE: 3_600_000 }, metrics), {
  DOMAIN: 'localhost',
})
export const closeTrees = () => trees.onApplicationShutdown()

const groups = new Map<number, Promise<Forge>>()
/** Groups are made once: that takes longer than what is measured. */
function groupOf(members: number): Promise<Forge> {
  const made = groups.get(members) ?? grownGroup(members)
  groups.set(members, made)
  return made
}

const PAID = 'WORKER_TIME_PER_MINUTE of the account; turns'
const SHARED = 'once an epoch and node; turns'
const SMALL_BECAUSE = 'a thread would take as long to be asked'

function seeding(members: number): Piece['make'] {
  return async () => {
    const forge = await groupOf(members)
    const { state } = forge
    const confirmationTag = randomBytes(32)
    const groupInfo = groupInfoMessage(await forgeGroupInfo(state.groupContext, forge.key(0), { confirmationTag }))
    const bytes = treeBytes(state)
    const tree = { bytes, nodes: ratchetTree(bytes) }
    return () => right('seeded', trees.seed(groupInfo, tree, 'leaves-unverified'))
  }
}

const ofTree = (members: number, work: (forge: Forge) => () => unknown) => async () => work(await groupOf(members))

function treePieces(members: number, small: boolean): Piece[] {
  const piece = (name: string, place: Place, bounded: string, make: Piece['make']): Piece => ({
    name: `${name}, ${members} members`,
    place: small ? 'event loop' : place,
    bounded: small ? 'trees of 64 KiB; a lock on the group' : bounded,
    ...(small ? { allowed: 120, because: SMALL_BECAUSE } : {}),
    make,
  })
  return [
    piece(
      'ratchet tree that is sent, decoded',
      'slices',
      PAID,
      ofTree(members, ({ state }) => {
        const bytes = treeBytes(state)
        return () => right('decoded', trees.decode(bytes))
      }),
    ),
    piece('ratchet tree that is sent, checked', 'worker thread', PAID, seeding(members)),
    piece(
      'state of a group, read from a snapshot',
      'worker thread',
      SHARED,
      ofTree(members, ({ state }) => {
        const bytes = serialize(state)
        return () => right('decoded', trees.deserialize(bytes))
      }),
    ),
    piece(
      'snapshot of a group, written',
      'slices',
      'a job, when Commits outweigh the last one',
      ofTree(
        members,
        ({ state }) =>
          () =>
            trees.serialize(state),
      ),
    ),
    piece(
      'ratchet tree, encoded for joiners',
      'slices',
      'requests of the account',
      ofTree(
        members,
        ({ state }) =>
          () =>
            trees.treeBytes(state),
      ),
    ),
  ]
}

const committing =
  (members: number, adds: number): Piece['make'] =>
  async () => {
    const forge = await groupOf(members)
    const items: Uint8Array[] = []
    for (let at = 0; at < adds; at++) items.push(byValue(proposals.add(await forgeKeyPackage(newKey(), `new${at}`))))
    const commit = await forge.commit(items, await forge.path(items, 0), 0)
    return () => right('valid', validateCommit(forge.state, publicMessage(commit)))
  }

export const GROUP_PIECES: readonly Piece[] = [
  ...treePieces(SMALL, true),
  ...treePieces(LARGE, false),
  {
    name: `Commit with a path in a group of ${LARGE} members`,
    place: 'thread pool',
    bounded: 'a lock on the group',
    make: committing(LARGE, 0),
  },
  {
    name: `Commit with ${ADDS} Adds`,
    place: 'thread pool',
    bounded: 'a lock on the group; MAX_ADDS',
    allowed: 2_000,
    because: 'the rules of RFC 9420 §12.2 for all Adds together; each is some 150 µs with the signatures in the pool',
    make: committing(SMALL, ADDS),
  },
  {
    name: `upload of ${MAX_KEY_PACKAGES_PER_UPLOAD} KeyPackages`,
    place: 'thread pool',
    bounded: 'one thread of the pool for an upload; KEY_PACKAGE_MAX_PER_DEVICE',
    make: async () => {
      const key = newKey()
      const client = 'mimi://localhost/d/alice/phone'
      const framed: Uint8Array[] = []
      for (let at = 0; at < MAX_KEY_PACKAGES_PER_UPLOAD; at++)
        framed.push(new Uint8Array(Buffer.concat([Buffer.of(0, 1, 0, 5), await forgeKeyPackage(key, client)])))
      const unlimited = { maxLifetimeMs: Number.MAX_SAFE_INTEGER, maxAgeMs: Number.MAX_SAFE_INTEGER }
      const terms = { client, keys: [key.publicKey], now: new Date(), ...unlimited, otherSuites: new Map() }
      return async () => {
        for (const bytes of framed) await right('accepted', checkKeyPackage(bytes, false, terms))
      }
    },
  },
  {
    name: 'Welcome of 2 MiB, decoded',
    place: 'event loop',
    bounded: 'MAX_COMMIT_BYTES for all Welcomes of a Commit',
    allowed: 60,
    because: 'for 10,000 invited at once; of usual size it takes microseconds',
    make: async () => {
      const welcome = forgeWelcome(Array.from({ length: 10_000 }, () => randomBytes(32)))
      return () => right('decoded', decodeMessage(welcome))
    },
  },
  {
    name: 'GroupInfo of 64 KiB, decoded',
    place: 'event loop',
    bounded: 'MAX_GROUP_INFO_BYTES',
    make: async () => {
      const forge = await groupOf(SMALL)
      const extensions = [{ type: 0xf000, data: new Uint8Array(63 * 1024) }]
      const bytes = await forgeGroupInfo(forge.state.groupContext, forge.key(0), { extensions })
      return () => right('decoded', decodeMessage(bytes))
    },
  },
]
