import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Pool } from 'pg'
import type { Config } from '../config/config.js'

export interface Tracing {
  stop(): Promise<void>
}

/**
 * OpenTelemetry, only if there is somewhere to send traces to: the SDK is loaded on demand, so that it costs nothing
 * otherwise. Further OTEL_* variables apply. Metrics and logs have their own ways out of here.
 */
export async function startTracing(config: Pick<Config, 'OTEL_EXPORTER_OTLP_ENDPOINT'>): Promise<Tracing | undefined> {
  if (!config.OTEL_EXPORTER_OTLP_ENDPOINT) return undefined
  process.env['OTEL_METRICS_EXPORTER'] ??= 'none'
  process.env['OTEL_LOGS_EXPORTER'] ??= 'none'
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK({ serviceName: process.env['OTEL_SERVICE_NAME'] ?? 'microchat-server', autoDetectResources: false })
  sdk.start()
  return { stop: () => sdk.shutdown().catch(() => undefined) }
}

/** The names of statements that only posts without a sender make begin so: the time of a span would be theirs (docs/sealed-sender.md). */
const UNTRACED = 'sealed_'

/** One span per query of the pool, by the name of its statement. Never its text's values. */
export function traceQueries(pool: Pool): Pool {
  const query = pool.query.bind(pool)
  const traced = async (...args: unknown[]): Promise<unknown> => {
    if (statementName(args[0]).startsWith(UNTRACED)) return Reflect.apply(query, pool, args)
    const span = trace.getTracer('microchat').startSpan(`postgresql ${statementName(args[0])}`, {
      kind: SpanKind.CLIENT,
      attributes: { 'db.system.name': 'postgresql' },
    })
    try {
      const result: unknown = await Reflect.apply(query, pool, args)
      return result
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  }
  return Object.assign(pool, { query: traced })
}

function statementName(query: unknown): string {
  if (typeof query === 'object' && query !== null && 'name' in query && typeof query.name === 'string') return query.name
  return 'query'
}
