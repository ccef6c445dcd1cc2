import { Injectable } from '@nestjs/common'
import { encodeFanoutMessage, type FanoutMessage } from '../../protocol/mimi/fanout-message.js'
import type { NotifyBatch, NotifyWelcome } from '../../protocol/mimi/microchat/notify-batch.js'
import type { TreeOption } from '../../protocol/mimi/tree-option.js'
import { DraftClient, type DraftAnswer } from './draft-client.js'

/** What came of a batch: the seq through which the peer has everything, and the answer that stopped it before the end. */
export interface Pushed {
  readonly through: bigint
  readonly refusal: DraftAnswer | undefined
}

const ACCEPTED = 201

/**
 * A batch for a follower that speaks nothing but the draft: one FanoutMessage after the other, in the order of the log, each once the one
 * before it has been taken (draft-ietf-mimi-protocol-06, Fanout Messages and Room Events). What the draft has no form for is left out: seqs, chain and
 * head, roster, incarnations. The follower learns from the Commits who is a member.
 */
@Injectable()
export class DraftPush {
  constructor(private readonly client: DraftClient) {}

  speaksDraft(domain: string): Promise<boolean> {
    return this.client.speaksDraft(domain)
  }

  async push(peer: string, batch: NotifyBatch, signal: AbortSignal): Promise<Pushed> {
    const welcomes = withTrees(batch.welcomes)
    for (const [index, { message }] of batch.entries.entries()) {
      const seq = batch.firstSeq + BigInt(index)
      const ofCommit = welcomes.flatMap((one) => (one.seq === seq ? [one.message] : []))
      // Who comes in by a Welcome cannot read the Commit before it, and nobody else is there who could.
      const isFirst = index === 0 && batch.gap === 'rejoined' && ofCommit.length > 0
      for (const next of [...(isFirst ? [] : [message]), ...ofCommit]) {
        const answer = await this.client.send({ peer, endpoint: 'notify', argument: batch.roomId, body: encodeFanoutMessage(next), signal })
        // Any other answer says that the message was not taken, and it is sent again.
        if (answer.kind !== 'answered' || answer.status !== ACCEPTED) return { through: seq - 1n, refusal: answer }
      }
    }
    return { through: batch.firstSeq + BigInt(batch.entries.length) - 1n, refusal: undefined }
  }
}

/** Each Welcome comes with the tree of its epoch: this follower has nowhere to ask for it. */
function withTrees(welcomes: readonly NotifyWelcome[]): { seq: bigint; message: FanoutMessage }[] {
  const trees = new Map<bigint, TreeOption>()
  return welcomes.map(({ seq, epoch, message }) => {
    if (message.tree?.kind === 'full') trees.set(epoch, message.tree)
    const tree = trees.get(epoch) ?? message.tree
    return { seq, message: { ...message, ...(tree && { tree }) } }
  })
}
