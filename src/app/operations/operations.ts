import { Injectable } from '@nestjs/common'
import type { FastifyInstance } from 'fastify'
import { encodeJson } from '../../platform/http/encode.js'
import { Metrics } from '../../platform/observability/metrics.js'
import { Readiness } from '../../platform/observability/readiness.js'
import { SharedValue } from '../../platform/shared-value.js'

/** How long a scrape is reused: all scrapes within this time cost one. */
const FRESH_MS = 1_000

export interface OperationsAnswer {
  readonly status: number
  readonly contentType: string
  readonly bytes: Buffer
}

const JSON_TYPE = 'application/json; charset=utf-8'

/** The process answers. Says nothing about the database: restarting this would not repair that. */
export const ALIVE: OperationsAnswer = { status: 200, contentType: JSON_TYPE, bytes: Buffer.from('{"status":"ok"}') }

/** What orchestrators and Prometheus ask. Whether they have a port of their own, OPERATIONS_PORT says (docs/operator-guide.md). */
@Injectable()
export class Operations {
  private readonly metricsAnswer: SharedValue<OperationsAnswer>

  constructor(
    private readonly readiness: Readiness,
    readonly metrics: Metrics,
  ) {
    this.metricsAnswer = new SharedValue(FRESH_MS, () => this.renderMetrics())
  }

  /** 200 if requests may be sent here (`degraded`: only reads), else 503. `Readiness` keeps what it found for a second. */
  async ready(): Promise<OperationsAnswer> {
    const report = await this.readiness.report()
    return { status: report.status === 'unavailable' ? 503 : 200, contentType: JSON_TYPE, bytes: Buffer.from(encodeJson(report)) }
  }

  /** The text format of Prometheus; numbers are up to `FRESH_MS` old. */
  scrape(): Promise<OperationsAnswer> {
    return this.metricsAnswer.get()
  }

  private async renderMetrics(): Promise<OperationsAnswer> {
    const { registry } = this.metrics
    return { status: 200, contentType: registry.contentType, bytes: Buffer.from(await registry.metrics()) }
  }
}

/** Answers by path, for a server that is up. */
export const OPERATIONS: Readonly<Record<string, (operations: Operations) => OperationsAnswer | Promise<OperationsAnswer>>> = {
  '/health/live': () => ALIVE,
  '/health/ready': (operations) => operations.ready(),
  '/metrics': (operations) => operations.scrape(),
}

/** Adds the routes to the main port, where OPERATIONS_PORT is not set. */
export function serveOperations(fastify: FastifyInstance, operations: Operations): void {
  for (const [path, answer] of Object.entries(OPERATIONS)) {
    fastify.get(path, { config: { operational: true, unlogged: true } }, async (_request, reply) => {
      const { status, contentType, bytes } = await answer(operations)
      return reply.code(status).header('content-type', contentType).send(bytes)
    })
  }
}
