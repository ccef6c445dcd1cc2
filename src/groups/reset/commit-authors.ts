import { Injectable } from '@nestjs/common'
import { decodeMessage } from '../../protocol/mls/message.js'
import { namedIdentity } from '../../protocol/mls/structures/credential.js'
import type { PublicMessage } from '../../protocol/mls/structures/public-message.js'
import type { GroupRow } from '../repository/groups.repository.js'
import { memberOf } from '../roster/roster.js'
import { PublicStates, StateNotKept } from '../state/public-states.js'
import type { ReadCommit } from './reports.repository.js'

export type Author =
  /** It came from outside, so the member who joined by it made it (RFC 9420 §12.4.3.2). */
  | { kind: 'joiner' }
  | { kind: 'member'; client: string | undefined }
  /** A PrivateMessage hides its sender, and the server keeps no record of who submitted what. */
  | { kind: 'unknown' }

/** Who made a Commit, as far as the Commit says it. */
@Injectable()
export class CommitAuthors {
  constructor(private readonly states: PublicStates) {}

  async of(group: GroupRow, { epoch, bytes }: ReadCommit): Promise<Author> {
    const decoded = decodeMessage(bytes)
    if (decoded.kind === 'malformed' || decoded.value.wireFormat !== 'public-message') return { kind: 'unknown' }
    const { sender, content } = decoded.value.body
    if (sender.kind === 'new-member-commit') return { kind: 'joiner' }
    const named = clientOfPath(content)
    if (named !== undefined || sender.kind !== 'member') return { kind: 'member', client: named }
    return this.atLeaf({ ...group, epoch }, sender.leafIndex)
  }

  private async atLeaf(group: GroupRow, leafIndex: number): Promise<Author> {
    try {
      const { state } = await this.states.at(group)
      return { kind: 'member', client: memberOf(state, leafIndex)?.identity }
    } catch (error) {
      if (error instanceof StateNotKept) return { kind: 'unknown' }
      throw error
    }
  }
}

/** A path brings the committer's new leaf, so no tree is needed. */
function clientOfPath(content: PublicMessage['content']): string | undefined {
  return content.kind === 'commit' && content.path ? namedIdentity(content.path.leafNode.credential) : undefined
}
