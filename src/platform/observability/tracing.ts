import type { Config } from '../config/config.js'

export interface Tracing { stop(): Promise<void> }

/**
 * OpenTelemetry, only if there is somewhere to send traces to: the SDK is loaded on demand, so that it costs nothing
 * otherwise. Standard OTEL_* variables apply. Call it before anything else is imported that should be traced.
 */
export async function startTracing(config: Pick<Config, 'OTEL_EXPORTER_OTLP_ENDPOINT'>): Promise<Tracing | undefined> {
  if (!config.OTEL_EXPORTER_OTLP_ENDPOINT) return undefined
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK({ serviceName: process.env['OTEL_SERVICE_NAME'] ?? 'microchat-server', autoDetectResources: false })
  sdk.start()
  return { stop: () => sdk.shutdown().catch(() => undefined) }
}
