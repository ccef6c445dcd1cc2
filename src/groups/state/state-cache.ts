import { Injectable } from '@nestjs/common'
import type { PublicGroupState } from '../../protocol/public-group/state.js'

/** Least recently used first out, bounded by what the values weigh. */
export class ByteLru<K, V> {
  private readonly entries = new Map<K, { value: V; bytes: number }>()
  private total = 0

  constructor(private readonly maxBytes: number) {}

  get bytes(): number {
    return this.total
  }

  get(key: K): V | undefined {
    const entry = this.entries.get(key)
    if (!entry) return undefined
    this.entries.delete(key)
    this.entries.set(key, entry)
    return entry.value
  }

  /** A value heavier than the whole cache is not kept. */
  set(key: K, value: V, bytes: number): void {
    this.delete(key)
    if (bytes > this.maxBytes) return
    this.entries.set(key, { value, bytes })
    this.total += bytes
    for (const oldest of this.entries.keys()) {
      if (this.total <= this.maxBytes) break
      this.delete(oldest)
    }
  }

  delete(key: K): void {
    const entry = this.entries.get(key)
    if (!entry) return
    this.entries.delete(key)
    this.total -= entry.bytes
  }
}

/** A group's public state and how much log it stands for. */
export interface Tracked {
  state: PublicGroupState
  /** The last handshake that is in it. */
  seq: bigint
  /** The Commit that made its epoch, or 0. */
  commitSeq: bigint
  /** Bytes of the Commits since the snapshot it was built from, and of that snapshot. */
  replayBytes: number
  snapshotBytes: number
}

/** What a private group shows of one epoch, and the last public proposal that is in it, or 0. */
export type Shown = Pick<Tracked, 'state' | 'seq'>

/** What all states on this node may weigh. */
const CACHE_BYTES = 128 * 1024 * 1024
/** The objects around a state, and around each proposal that waits. */
const OBJECT_BYTES = 4_096

/** The states of groups that this node has in memory, of both modes under one bound. */
@Injectable()
export class StateCache {
  private readonly held = new ByteLru<string, Tracked | Shown>(CACHE_BYTES)

  /** The newest state of a public group, by `gid:incarnation`. */
  tracked(key: string): Tracked | undefined {
    const found = this.held.get(key)
    return found !== undefined && 'commitSeq' in found ? found : undefined
  }

  /** Of private groups, by `gid:incarnation:epoch`, so that no key is one of a public group's. */
  shown(key: string): Shown | undefined {
    return this.held.get(key)
  }

  keep(key: string, held: Tracked | Shown): void {
    this.held.set(key, held, weightOf(held.state))
  }
}

/** Bytes of memory, roughly; states of neighbouring epochs share most of theirs. */
export function weightOf({ tree, groupContext, pending }: PublicGroupState): number {
  return OBJECT_BYTES * (1 + pending.size) + tree.weight + groupContext.bytes.length + pending.bytes
}
