import { selects } from '../context.mjs'
import { hasPort } from './references.mjs'
import { serversOf } from './settings.mjs'

/** The name of the port that OPERATIONS_PORT opens. */
const OPERATIONS = 'operations'
const PROBES = ['startupProbe', 'readinessProbe', 'livenessProbe']

/** Who scrapes: pods of this name in this namespace. */
const MONITORING = { namespace: { 'kubernetes.io/metadata.name': 'monitoring' }, pod: { 'app.kubernetes.io/name': 'prometheus' } }

/** /metrics and /health tell about the inside of the deployment: no path, and no Service that the public reaches, leads there. */
export function operationsStayPrivate(context) {
  return [...publicPaths(context), ...publicServices(context)]
}

function publicPaths({ ofKind }) {
  const routes = [
    ...ofKind('Ingress').flatMap(({ metadata, spec }) => [
      ...(spec.defaultBackend ? [[`Ingress ${metadata.name}`, '/', 'Prefix']] : []),
      ...(spec.rules ?? []).flatMap(({ http }) =>
        (http?.paths ?? []).map(({ path, pathType }) => [`Ingress ${metadata.name}`, path ?? '/', pathType]),
      ),
    ]),
    ...ofKind('HTTPRoute').flatMap(({ metadata, spec }) =>
      spec.rules.flatMap(({ matches }) => matches.map(({ path }) => [`HTTPRoute ${metadata.name}`, path.value, path.type])),
    ),
  ]
  return routes
    .filter(([, path, type]) => ['/metrics', '/health/live', '/health/ready'].some((secret) => leadsTo(path, type, secret)))
    .map(([name, path]) => `${name} opens /metrics or /health to the public by the path ${path}.`)
}

/** Prefixes match whole elements of a path. What is neither prefix nor exact is for the controller to interpret, so it may lead anywhere. */
function leadsTo(path, type, target) {
  if (type === 'Exact') return path === target
  if (type === 'Prefix' || type === 'PathPrefix') return `${target}/`.startsWith(`${path.replace(/\/$/, '')}/`)
  return true
}

/** What Ingresses and routes lead to, and what is open to the world by its type. */
function publicServices(context) {
  const { ofKind } = context
  const numbers = serversOf(context).map(({ config }) => config.OPERATIONS_PORT)
  const led = new Set([
    ...ofKind('Ingress').flatMap(({ spec }) =>
      (spec.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map(({ backend }) => backend.service?.name)),
    ),
    ...ofKind('HTTPRoute').flatMap(({ spec }) => spec.rules.flatMap(({ backendRefs }) => backendRefs.map(({ name }) => name))),
  ])
  return ofKind('Service')
    .filter(({ metadata, spec }) => led.has(metadata.name) || ['NodePort', 'LoadBalancer'].includes(spec.type))
    .filter(({ spec }) => spec.ports.some(({ port, targetPort }) => [OPERATIONS, ...numbers].includes(targetPort ?? port)))
    .map(({ metadata }) => `Service ${metadata.name} is public and leads to the port of /metrics and /health.`)
}

/** Each server has the port, under its name, and is probed there: on PORT the probes would be answered 404. */
export function operationsHaveTheirPort(context) {
  return serversOf(context).flatMap(({ name, container, config }) => {
    const port = config.OPERATIONS_PORT
    if (port === undefined) return [`${name} has /metrics and /health on its public port: set OPERATIONS_PORT.`]
    const own = container.ports?.find((candidate) => candidate.name === OPERATIONS)
    if (own?.containerPort !== port) return [`${name} listens on OPERATIONS_PORT ${port}, which is not its port ${OPERATIONS}.`]
    return PROBES.map((probe) => [probe, container[probe]?.httpGet?.port])
      .filter(([, asked]) => asked !== undefined && ![OPERATIONS, port].includes(asked))
      .map(([probe, asked]) => `${name}: ${probe} asks port ${asked}, but health is on OPERATIONS_PORT ${port}.`)
  })
}

/** A policy that lets somebody in on the port lets Prometheus in and nobody else. */
export function operationsAreScrapedOnly(context) {
  const servers = serversOf(context)
  return context.ofKind('NetworkPolicy').flatMap(({ metadata, spec }) => {
    const opened = servers.filter(({ object }) => selects(spec.podSelector, object.spec.template.metadata.labels))
    return (spec.ingress ?? [])
      .filter(({ ports }) => opened.some(({ container, config }) => opens(ports, container, config.OPERATIONS_PORT)))
      .filter(({ from }) => !from?.length || !from.every(isPrometheus))
      .map(() => `NetworkPolicy ${metadata.name} lets others than Prometheus in on the port of /metrics and /health.`)
  })
}

/** @param ports of a policy; without any, it opens all */
function opens(ports, container, number) {
  if (number === undefined) return false
  if (!ports?.length) return true
  const own = (container.ports ?? []).filter(({ containerPort }) => containerPort === number)
  return ports.some(({ port, endPort }) => port === undefined || hasPort(own, port) || (port <= number && number <= endPort))
}

function isPrometheus({ namespaceSelector, podSelector, ipBlock }) {
  const [namespace, pod] = [namespaceSelector?.matchLabels ?? {}, podSelector?.matchLabels ?? {}]
  return !ipBlock && contains(namespace, MONITORING.namespace) && contains(pod, MONITORING.pod)
}

function contains(labels, wanted) {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}
