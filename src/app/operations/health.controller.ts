import { Controller, Get, Res } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Anonymous } from '../../authentication/session/anonymous.js'
import { Operational, Unlogged } from '../../platform/http/route-options.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { Readiness } from '../../platform/observability/readiness.js'

/** For orchestrators and Prometheus. Keep it off the public address (docs/operator-guide.md). */
@ApiExcludeController()
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    private readonly metrics: Metrics,
  ) {}

  /** The process answers. Says nothing about the database: restarting this would not repair that. */
  @Get('health/live')
  @Anonymous()
  @Operational()
  @Unlogged()
  live() {
    return { status: 'ok' }
  }

  /** Whether to send requests here, and why not, within two seconds. `degraded` is 200: what reads is served. */
  @Get('health/ready')
  @Anonymous()
  @Operational()
  @Unlogged()
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const report = await this.readiness.report()
    void reply.code(report.status === 'unavailable' ? 503 : 200)
    return report
  }

  @Get('metrics')
  @Anonymous()
  @Operational()
  @Unlogged()
  async scrape(@Res({ passthrough: true }) reply: FastifyReply) {
    void reply.header('content-type', this.metrics.registry.contentType)
    return this.metrics.registry.metrics()
  }
}
