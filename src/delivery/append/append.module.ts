import { Module } from '@nestjs/common'
import { PlatformModule } from '../../platform/platform.module.js'
import { Appender } from './appender.js'

@Module({ imports: [PlatformModule], providers: [Appender], exports: [Appender] })
export class AppendModule {}
