import { createHash } from 'node:crypto'
import type { Pool } from 'pg'
import type { Group } from '../../../examples/client/group.js'
import type { CommitBundle } from '../../../examples/client/store.js'
import { toBase64Url } from '../../../examples/client/wire.js'
import { userOf, type GroupModel } from './group-model.js'
import type { Effect } from './judge.js'
import type { Submission } from './submission.js'

interface LogRow {
  seq: number
  kind: 'c' | 'p' | 'a'
  epoch: number
  hash: string
}

/** By device: its place in the tree, and the signature of its leaf, which is another one with each new leaf. */
type Tree = ReadonlyMap<string, { leafIndex: number; mark: string }>

/** A group of a campaign: what the oracle knows of it, and what its members have read. */
export class Room {
  readonly path: string
  /** Of the group as members see it, by epoch. */
  readonly #trees = new Map<number, Tree>()
  readonly #reinitialized = new Set<number>()
  /** Proposals that wait. */
  #waiting: string[] = []
  /** Everything in the log up to here is in the model. */
  #seen = 0
  lastCommit = 0
  /** Hashes of Proposals: one that is made again for the same epoch has the same bytes. */
  readonly proposed = new Set<string>()
  /** It has taken the place of another one. */
  follows = false
  /** Of the room that it is the group of. */
  uri = ''
  /** A Commit that was made and never sent, and its epoch. */
  stash: { epoch: number; bundle: CommitBundle } | undefined
  /** Whether there is a GroupInfo of the current epoch. */
  hasInfo: boolean
  /** The id that a ReInit announced, while there is no such group. */
  announced: Uint8Array | undefined
  /** The group that has taken its place. */
  successor: Room | undefined
  /** Messages of honest members that the server has accepted. */
  readonly texts: { seq: number; text: string }[] = []
  /** What happened to it, for those who look for the reason of a disagreement. */
  readonly history: string[] = []

  constructor(
    readonly id: Uint8Array,
    public model: GroupModel,
    readonly code: string,
  ) {
    this.hasInfo = model.mode === 'public' || model.policy.external_join !== 'none'
    this.path = `/v1/groups/${toBase64Url(id)}`
  }

  /** The last one that a member has told. */
  get epoch(): number {
    return Math.max(...this.#trees.keys())
  }

  /** A member has read up to an epoch. */
  look({ record }: Group): void {
    const epoch = Number(record.state.groupContext.epoch)
    const tree: [string, { leafIndex: number; mark: string }][] = record.state.ratchetTree.flatMap((node, index) => {
      if (node?.nodeType !== 'leaf' || !('identity' in node.leaf.credential)) return []
      const mark = createHash('sha256').update(node.leaf.signature).digest('hex')
      return [[Buffer.from(node.leaf.credential.identity).toString(), { leafIndex: index / 2, mark }]]
    })
    this.#trees.set(epoch, new Map(tree))
    const { groupActiveState } = record.state
    if (groupActiveState.kind !== 'suspendedPendingReinit') return
    this.#reinitialized.add(epoch)
    this.announced = groupActiveState.reinit.groupId
  }

  /** What has come into the log since. */
  async news(pool: Pool): Promise<LogRow[]> {
    const { rows } = await pool.query<LogRow>(
      `SELECT l.seq::integer, l.kind, l.epoch::integer, encode(l.hash, 'hex') AS hash FROM log l JOIN groups g USING (gid)
        WHERE g.group_id = $1 AND l.seq > $2 ORDER BY l.seq`,
      [this.id, this.#seen],
    )
    return rows
  }

  /** Whether members have told what these Commits led to. */
  knows(rows: readonly LogRow[]): boolean {
    return rows.every(({ kind, epoch }) => kind !== 'c' || (this.#trees.has(epoch) && this.#trees.has(epoch + 1)))
  }

  /** What its Commits have changed, in their order. @throws if nobody has told what a Commit led to */
  take(rows: readonly LogRow[], submissions: ReadonlyMap<string, Submission>): Effect[] {
    const effects = rows.flatMap((row) => {
      if (row.kind === 'p') this.#waiting.push(row.hash)
      if (row.kind !== 'c') return []
      const waiting = this.#waiting.flatMap((hash) => submissions.get(hash) ?? [])
      this.#waiting = []
      this.lastCommit = row.seq
      // Nobody joins after a ReInit.
      this.hasInfo = (submissions.get(row.hash)?.info ?? false) && !this.#reinitialized.has(row.epoch + 1)
      return [this.#effect(row, submissions.get(row.hash), waiting)]
    })
    this.#seen = rows.at(-1)?.seq ?? this.#seen
    return effects
  }

  #effect({ seq, epoch, hash }: LogRow, commit: Submission | undefined, waiting: readonly Submission[]): Effect {
    const [before, after] = [this.#trees.get(epoch), this.#trees.get(epoch + 1)]
    if (!commit) throw new Error(`Nobody has sent the Commit ${seq} with hash ${hash}`)
    if (!before || !after) throw new Error(`Nobody has told what the Commit ${seq} of epoch ${epoch} led to`)
    const frozen = this.#reinitialized.has(epoch + 1)
    return (model) => {
      for (const [device, { leafIndex }] of before)
        if (!after.has(device)) {
          const out = outcome(model, device, leafIndex, commit, waiting)
          model.change(device, { in: false, leaving: false, going: undefined, out, outSeq: seq })
        }
      for (const [device, { mark }] of after) {
        const came = !before.has(device) || (mark !== before.get(device)?.mark && device !== commit.by)
        if (came) model.change(device, { in: true, leaving: false, ever: true, since: seq })
        if (device === commit.by && commit.external)
          model.change(device, { in: true, leaving: false, going: undefined, ever: true, since: seq })
      }
      model.settleAdmins()
      model.witnesses.set(seq, new Set([...before.keys()].map(userOf)))
      if (frozen) Object.assign(model, { frozen: 'reinit', reserved: true })
    }
  }
}

/** How a device got out: by its own user's will, on the server's word, or by somebody else's decision. */
function outcome(
  model: GroupModel,
  device: string,
  leafIndex: number,
  commit: Submission,
  waiting: readonly Submission[],
): 'left' | 'removed' | 'either' {
  const byWish = (by: string) => {
    const own = [by, commit.by].some((one) => userOf(one) === userOf(device))
    const decided = model.admins.has(userOf(by)) || model.of(device).going === undefined
    return !own && decided ? 'removed' : 'left'
  }
  if (commit.letGo.includes(device)) return 'left'
  if (commit.removes.includes(device) || commit.removes.includes(leafIndex)) return byWish(commit.by)
  const wishes = waiting.filter(({ removes }) => removes.includes(leafIndex)).map(({ by }) => byWish(by))
  if (model.of(device).going !== undefined) wishes.push('left')
  const [first = 'either', ...others] = wishes
  return others.every((one) => one === first) ? first : 'either'
}
