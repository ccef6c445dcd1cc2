import { Module } from '@nestjs/common'
import { AuthenticationModule } from '../authentication/authentication.module.js'
import { CONFIG } from '../platform/config/config.js'
import { PlatformModule } from '../platform/platform.module.js'
import { AckFlusher } from './acks/ack-flusher.js'
import { Appender } from './append/appender.js'
import { DeliveryMetrics } from './delivery-metrics.js'
import { Feeds } from './feed/feeds.js'
import { Interest } from './interest.js'
import { Acknowledgements } from './polling/acknowledgements.js'
import { EventsController } from './polling/events.controller.js'
import { EventsReader } from './polling/events-reader.js'
import { Polling } from './polling/polling.js'
import { HistoryController } from './read/history.controller.js'
import { History } from './read/history.js'
import { Retention } from './retention/retention.job.js'
import { Posts } from './stream/posts/posts.js'
import { StreamResources } from './stream/stream-resources.js'
import { StreamServer } from './stream/stream-server.js'
import { Pressure } from '../platform/admission/pressure.js'
import { STREAM_SETTINGS, streamSettings } from './stream/stream-settings.js'
import { Streams } from './stream/streams.js'
import { GlobalSweep } from './sweep/global-sweep.job.js'
import { NodeSweep } from './sweep/node-sweep.js'

/** The writing half of the log, for `groups/`, which orders messages, also those that come over streams. */
@Module({ imports: [PlatformModule], providers: [Appender, Posts], exports: [Appender, Posts] })
export class AppendModule {}

/** The reading half of the Delivery Service: one log, many cursors (§7). */
@Module({
  imports: [PlatformModule, AuthenticationModule, AppendModule],
  controllers: [HistoryController, EventsController],
  providers: [
    { provide: STREAM_SETTINGS, useFactory: streamSettings, inject: [CONFIG, Pressure, Posts] },
    DeliveryMetrics,
    Interest,
    Feeds,
    AckFlusher,
    StreamResources,
    Streams,
    StreamServer,
    NodeSweep,
    EventsReader,
    Polling,
    Acknowledgements,
    History,
    GlobalSweep,
    Retention,
  ],
})
export class DeliveryModule {}
