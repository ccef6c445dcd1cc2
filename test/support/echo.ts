import { EventEmitter } from 'node:events'
import { Body, Controller, Delete, Get, HttpCode, Module, Param, Post, Query } from '@nestjs/common'
import { z } from 'zod'
import { AppModule } from '../../src/app/app.module.js'
import { Anonymous } from '../../src/authentication/session/caller.js'
import { CountText, Epoch, GroupId, MlsBytes, SeqText, UnixSeconds } from '../../src/platform/http/bytes.js'
import { Problem } from '../../src/platform/http/problem.js'
import { Returns } from '../../src/platform/http/returns.js'
import { AcceptsMessage, TakesBody, Unlogged } from '../../src/platform/http/route-options.js'

const Note = z
  .strictObject({ message: MlsBytes(1_000), epoch: Epoch.optional(), tags: z.array(z.string().max(10)).max(3).optional() })
  .meta({ id: 'Note' })
type Note = z.infer<typeof Note>
const Echo = z.object({ group_id: GroupId, message: MlsBytes(), epoch: Epoch, at: UnixSeconds }).meta({ id: 'Echo' })
const Range = z.strictObject({ from_seq: SeqText.optional(), limit: CountText(1, 10).optional() })
type Range = z.infer<typeof Range>
const Found = z.object({ from_seq: Epoch, limit: z.number() }).meta({ id: 'Found' })

/** Emits `held` with a function for each `GET /v1/echo/held/request`, which is answered once that is called. */
export const heldRequests = new EventEmitter()

/** Routes that show how the HTTP layer treats whatever reaches it. */
@Anonymous()
@Controller('v1/echo')
class EchoController {
  @Post(':groupId')
  @HttpCode(200)
  @AcceptsMessage('message')
  @TakesBody('large')
  @Returns(Echo)
  echo(@Param('groupId', { schema: GroupId }) groupId: GroupId, @Body({ schema: Note }) note: Note) {
    return { group_id: groupId, message: note.message, epoch: note.epoch ?? 0n, at: new Date(1_999), internal: 'dropped' }
  }

  @Get(':groupId')
  @Returns(Found)
  find(@Query({ schema: Range }) { from_seq = 0n, limit = 5 }: Range) {
    return { from_seq, limit }
  }

  @Post()
  @Returns(Echo)
  bundleOnly(@Body({ schema: Note }) note: Note) {
    return { group_id: note.message, message: note.message, epoch: 0n, at: new Date(0) }
  }

  @Delete(':groupId')
  @HttpCode(204)
  remove() {}

  @Get('fail/unknown')
  @Returns(Echo)
  fail() {
    throw new Error('password=hunter2')
  }

  @Get('fail/shape')
  @Returns(Echo)
  misshapen() {
    return { group_id: 'hunter2!' }
  }

  @Get('fail/problem')
  refuse() {
    throw new Problem(409, 'stale-epoch', 'Too late.', { current_epoch: 5n, entries: [new Uint8Array([255])] })
  }

  @Get('fail/database')
  overloaded() {
    throw Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' })
  }

  @Get('unlogged/:secret')
  @Unlogged()
  unlogged() {
    return 'ok'
  }

  @Get('held/request')
  async held() {
    await new Promise<void>((answer) => heldRequests.emit('held', answer))
    return 'done'
  }
}

@Module({ imports: [AppModule], controllers: [EchoController] })
export class EchoModule {}
