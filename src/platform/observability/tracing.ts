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
