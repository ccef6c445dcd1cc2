import { Injectable } from '@nestjs/common'
import type { Caller } from '../../../authentication/session/caller.js'
import type { Admission, Admitted } from '../../../platform/admission/admission.js'
import { NotFound } from '../../../platform/http/problem.js'
import type { AcceptedPost, PostFrame } from '../../../protocol/frames.js'

/** What a post asks for, as the HTTP operation `postMessage` does. */
export type Post = Pick<PostFrame, 'group_id' | 'message' | 'incarnation'>

/** Takes an application message for the log of a group. @throws Problem as `postMessage` is answered */
export type TakePost = (caller: Caller, post: Post) => Promise<AcceptedPost>

/**
 * Where posts that come over streams go. The layer above orders them, and the server's one admission counts them together with requests:
 * both connect themselves.
 */
@Injectable()
export class Posts {
  private take: TakePost | undefined
  private admission: Pick<Admission, 'checkPressure' | 'admitDevice'> | undefined

  connect(take: TakePost): void {
    this.take = take
  }

  countBy(admission: Pick<Admission, 'checkPressure' | 'admitDevice'>): void {
    this.admission = admission
  }

  /** Counts a post as the request that it stands for. @param bytes of its frame. @throws Problem 429 or 503 */
  admit({ deviceId, userId }: Caller, bytes: number): Admitted | undefined {
    this.admission?.checkPressure('post')
    const admitted = this.admission?.admitDevice({ device: String(deviceId), account: String(userId) })
    try {
      admitted?.countBody(bytes)
      admitted?.takeBodyBytes(bytes, bytes)
    } catch (refusal) {
      admitted?.release()
      throw refusal
    }
    return admitted
  }

  /** @throws Problem */
  async submit(caller: Caller, post: Post): Promise<AcceptedPost> {
    if (this.take === undefined) throw new NotFound('This server takes no posts over streams.')
    return this.take(caller, post)
  }
}
