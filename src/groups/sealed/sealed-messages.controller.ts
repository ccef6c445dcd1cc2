import { Body, Controller, HttpCode, Param, Post, Req } from '@nestjs/common'
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { Anonymous } from '../../authentication/session/caller.js'
import { EpochText, GroupId } from '../../platform/http/bytes.js'
import { InvalidRequest, UnsupportedMediaType } from '../../platform/http/problem.js'
import { Refuses } from '../../platform/http/refuses.js'
import { Returns } from '../../platform/http/returns.js'
import { Prioritized, TakesBody, TakesMessage, Unlogged } from '../../platform/http/route-options.js'
import { Accepted, SubmitMessage } from '../groups.dto.js'
import { SealedMessages } from './sealed-messages.js'

/** Only the path and what follows it counts for the proof; the host is bound by the token. */
const ANY_ORIGIN = 'https://hub.invalid'

@ApiTags('sealed sender')
@Controller('v1/sealed/:groupId/:epoch')
@ApiHeader({ name: 'authorization', description: 'PrivateToken token="…" (RFC 9577)' })
@ApiHeader({ name: 'content-digest', description: 'RFC 9530' })
@ApiHeader({ name: 'signature-input', description: 'RFC 9421; see docs/sealed-sender.md' })
@ApiHeader({
  name: 'group-incarnation',
  required: false,
  description: 'The incarnation of the group that the sender is in',
  schema: { type: 'integer', minimum: 1, maximum: 0x7fff_ffff },
})
@ApiHeader({ name: 'signature', description: 'RFC 9421, by the sender key' })
export class SealedMessagesController {
  constructor(private readonly messages: SealedMessages) {}

  @Post('messages')
  @TakesBody('message')
  @Prioritized('post')
  @Anonymous()
  @Unlogged()
  @HttpCode(200)
  @TakesMessage('message')
  @Returns(Accepted, { description: 'Accepted: it is an entry of the log.' })
  @ApiOperation({
    operationId: 'postSealedMessage',
    summary: 'Post a message without saying who sends it',
    description:
      'The body is the MLSMessage itself, as message/mls. Authorization has a send token, Signature a signature by the ' +
      'sender key of the epoch (docs/sealed-sender.md). Use a connection that never carries an access token. The token is ' +
      'spent if, and only if, the message is accepted.',
  })
  @Refuses(
    'token-required',
    'token-spent',
    'member-proof',
    'stale-epoch',
    'incarnation-changed',
    'epoch-ahead',
    'commit-required',
    'group-frozen',
    'storage-full',
    'group-deleted',
    'not-found',
    'undecodable',
  )
  submit(
    @Param('groupId', { schema: GroupId }) groupId: GroupId,
    @Param('epoch', { schema: EpochText }) epoch: bigint,
    @Body({ schema: SubmitMessage }) { message }: SubmitMessage,
    @Req() { method, url, headers }: FastifyRequest,
  ) {
    if (!/^message\/mls *(;|$)/i.test(headers['content-type'] ?? ''))
      throw new UnsupportedMediaType('Send the message itself, as message/mls.')
    if (url.includes('?')) throw new InvalidRequest('This address takes no query: it would make a post recognizable.')
    return this.messages.submit({ request: { method, targetUri: ANY_ORIGIN + url, headers }, groupId, epoch, bytes: message })
  }
}
