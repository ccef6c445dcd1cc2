import type { LoggerService } from '@nestjs/common'
import type { Logger } from 'pino'

/** Nest's own lines, in our format. Its chatter while it starts is of interest at debug only. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: unknown): void {
    this.logger.debug({ context: contextOf(context) }, String(message))
  }
  warn(message: unknown, context?: unknown): void {
    this.logger.warn({ context: contextOf(context) }, String(message))
  }
  error(message: unknown, stackOrContext?: unknown, context?: unknown): void {
    const fields = { context: contextOf(context ?? stackOrContext) }
    if (message instanceof Error) this.logger.error({ ...fields, err: message }, 'unexpected error')
    else this.logger.error(fields, String(message))
  }
  debug(message: unknown, context?: unknown): void {
    this.logger.trace({ context: contextOf(context) }, String(message))
  }
  verbose(message: unknown, context?: unknown): void {
    this.logger.trace({ context: contextOf(context) }, String(message))
  }
}

function contextOf(context: unknown): string | undefined {
  return typeof context === 'string' && context.length < 100 && !context.includes('\n') ? context : undefined
}
