import type { Token } from '@cloudflare/privacypass-ts'
import { ServerProblem } from '../http.js'
import type { Accepted, Group } from '../group.js'
import { sendAnonymously } from './anonymous.js'
import { sealedRequest, type SealedRequest } from './sealed-post.js'
import { publishSenderKey, senderKey } from './sender-key.js'
import type { TokenPurse } from './tokens.js'

const ATTEMPTS = 20

/** How a request gets to the hub. */
export type Send = (request: SealedRequest) => Promise<Accepted>

/** Posts to one group without saying who posts. Our own messages come back by the stream like everyone else's. */
export class SealedSender {
  /** The epoch whose key is known to be published. */
  #ready = -1

  constructor(
    private readonly group: Group,
    private readonly purse: TokenPurse,
    private readonly send: Send = (request) => sendAnonymously(group.device.http.baseUrl, request),
  ) {}

  /**
   * Sees to it that posts of this epoch can be signed. Call it some random time after each new epoch, whether or not there is anything to
   * say: asked right before a post, under our name, it says who posts.
   * @returns users who have published a key that is not the epoch's
   */
  async prepare(): Promise<string[]> {
    const key = await senderKey(this.group)
    const wrong = await publishSenderKey(this.group, key)
    this.#ready = key.epoch
    return wrong
  }

  async post(text: string): Promise<Accepted> {
    // A token that was not spent is good for the next attempt, and has been seen already by then: no fresh one is shown.
    const token = this.purse.take()
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(text, token)
      } catch (error) {
        const behind = error instanceof ServerProblem && (error.kind === 'stale-epoch' || error.kind === 'commit-required')
        const proposals = error instanceof Error && error.message.includes('unapplied proposals')
        if (!(behind || proposals) || attempt >= ATTEMPTS) throw error
        // Somebody has to commit what is pending; that does not say who wants to post.
        await this.group.catchUp()
        await this.group.settle()
      }
    }
  }

  async #once(text: string, token: Token): Promise<Accepted> {
    const key = await senderKey(this.group)
    if (this.#ready !== key.epoch) await this.prepare()
    const message = await this.group.encrypt(text, key.epoch)
    const { state, incarnation } = this.group.record
    return this.send(sealedRequest(state.groupContext.groupId, key, token, message, incarnation))
  }
}
