import { Injectable, type OnModuleInit } from '@nestjs/common'
import { Posts } from '../../delivery/stream/posts/posts.js'
import { Accepted } from '../groups.dto.js'
import { GroupOperations } from '../operations/group-operations.js'

/** Messages that come over streams are the same operation as those that come by HTTP, with the same limits and refusals. */
@Injectable()
export class StreamedPosts implements OnModuleInit {
  constructor(
    private readonly posts: Posts,
    private readonly operations: GroupOperations,
  ) {}

  onModuleInit(): void {
    this.posts.connect(async (caller, { group_id: groupId, ...post }) => {
      const {
        seq,
        epoch,
        readable_seq: readable,
        ...accepted
      } = Accepted.parse(await this.operations.call('message', caller, groupId, post))
      return { ...accepted, seq: Number(seq), epoch: Number(epoch), ...(readable !== undefined && { readable_seq: Number(readable) }) }
    })
  }
}
