import { selects } from '../context.mjs'

/** What a budget or a scaler is about has to exist; and where a scaler decides how many, nobody else does. */
export function scalersAndBudgetsHaveTargets({ ofKind, workloads }) {
  const scaled = ofKind('HorizontalPodAutoscaler').flatMap(({ metadata, spec }) => {
    const { kind, name } = spec.scaleTargetRef
    const target = ofKind(kind).find((object) => object.metadata.name === name)
    if (!target) return [`HorizontalPodAutoscaler ${metadata.name} scales ${kind} ${name}, which does not exist.`]
    if (target.spec.replicas === undefined) return []
    return [`${kind} ${name} sets replicas, which an apply would take back from its HorizontalPodAutoscaler.`]
  })
  const budgets = ofKind('PodDisruptionBudget').flatMap(({ metadata, spec }) => {
    const found = workloads.filter(({ labels, object }) => object.kind !== 'Job' && selects(spec.selector, labels))
    return found.length === 1 ? [] : [`PodDisruptionBudget ${metadata.name} is about ${found.length} workloads, not one.`]
  })
  return [...scaled, ...budgets]
}

export function monitorsFindPorts({ ofKind, pods }) {
  const services = ofKind('ServiceMonitor').flatMap(({ metadata, spec }) => {
    const found = ofKind('Service').filter((service) => selects(spec.selector, service.metadata.labels ?? {}))
    if (found.length === 0) return [`ServiceMonitor ${metadata.name} selects no Service.`]
    return spec.endpoints
      .filter(({ port }) => !found.every((service) => service.spec.ports.some(({ name }) => name === port)))
      .map(({ port }) => `ServiceMonitor ${metadata.name} scrapes the port ${port}, which a Service that it selects does not have.`)
  })
  const podMonitors = ofKind('PodMonitor').flatMap(({ metadata, spec }) => {
    const found = pods.filter(({ labels }) => selects(spec.selector, labels))
    if (found.length === 0) return [`PodMonitor ${metadata.name} selects no pods.`]
    return spec.podMetricsEndpoints
      .filter(({ port }) => !found.every(({ ports }) => ports.some(({ name }) => name === port)))
      .map(({ port }) => `PodMonitor ${metadata.name} scrapes the port ${port}, which its pods do not have.`)
  })
  return [...services, ...podMonitors]
}
