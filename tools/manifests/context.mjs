import { nameOf } from './types.mjs'

const CLUSTER_SCOPED = new Set(['Namespace'])

/**
 * What rules ask about: everything of one deployment, and the settings that the server would read from it.
 * @param settings `{ ConfigSchema, loadConfig, deploymentBudget }` of the server
 * @param release the version in package.json
 */
export function contextOf(objects, settings, release) {
  const ofKind = (kind) => objects.filter((object) => object.kind === kind)
  const workloads = objects.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind)).map(workload)
  return {
    objects,
    ofKind,
    settings,
    release,
    workloads,
    pods: [...workloads.map(({ labels, namespace, ports }) => ({ labels, namespace, ports })), ...operatorPods(ofKind)],
    configMaps: new Map(ofKind('ConfigMap').map(({ metadata, data }) => [metadata.name, data ?? {}])),
  }
}

/** What makes pods: its name, the labels and the specification of its pods, their containers and ports. */
function workload(object) {
  const { metadata, spec } = object.spec.template
  const containers = [...(spec.initContainers ?? []), ...spec.containers]
  return {
    object,
    name: nameOf(object),
    namespace: object.metadata.namespace,
    labels: metadata.labels ?? {},
    pod: spec,
    containers,
    ports: containers.flatMap(({ ports = [] }) => ports),
  }
}

/** The pods that CloudNativePG makes, with the labels that it documents. */
function operatorPods(ofKind) {
  const clusters = ofKind('Cluster').map(({ metadata: { name, namespace } }) => ({
    labels: { 'cnpg.io/cluster': name, 'cnpg.io/podRole': 'instance' },
    namespace,
    ports: ports({ postgresql: 5432, metrics: 9187, status: 8000 }),
  }))
  const poolers = ofKind('Pooler').map(({ metadata: { name, namespace }, spec }) => ({
    labels: { 'cnpg.io/cluster': spec.cluster.name, 'cnpg.io/poolerName': name, 'cnpg.io/podRole': 'pooler' },
    namespace,
    ports: ports({ pgbouncer: 5432, metrics: 9127 }),
  }))
  return [...clusters, ...poolers]
}

function ports(byName) {
  return Object.entries(byName).map(([name, containerPort]) => ({ name, containerPort }))
}

export function isNamespaced({ kind }) {
  return !CLUSTER_SCOPED.has(kind)
}

/** A label selector of the Kubernetes API. An empty one matches everything. */
export function selects({ matchLabels = {}, matchExpressions = [] } = {}, labels) {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => holds(operator, labels[key], values))
  )
}

function holds(operator, value, values) {
  switch (operator) {
    case 'In':
      return values.includes(value)
    case 'NotIn':
      return !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      throw new Error(`${operator} is not an operator of label selectors`)
  }
}

/** What a container has in its environment, before Secrets: `{ name, value }` or `{ name, secret, optional }`. */
export function environmentOf(container, configMaps) {
  const given = (container.envFrom ?? []).flatMap(({ configMapRef }) =>
    Object.entries(configMaps.get(configMapRef?.name) ?? {}).map(([name, value]) => ({ name, value, from: configMapRef.name })),
  )
  const own = (container.env ?? []).map(({ name, value, valueFrom }) => {
    const reference = valueFrom?.configMapKeyRef
    if (reference) return { name, value: configMaps.get(reference.name)?.[reference.key], from: reference.name }
    return valueFrom?.secretKeyRef ? { name, secret: valueFrom.secretKeyRef } : { name, value }
  })
  const names = new Set(own.map(({ name }) => name))
  return [...given.filter(({ name }) => !names.has(name)), ...own]
}

/** Whether a container runs the server. */
export function isServer({ image }) {
  return /(^|\/)microchat-server([:@]|$)/.test(image ?? '')
}

/** `512Mi`, `1Gi`, `250m`, `2` → bytes, or cores. */
export function quantity(text) {
  const [, number, unit] = /^([\d.]+)(m|Ki|Mi|Gi|)$/.exec(text) ?? []
  if (number === undefined) throw new Error(`${text} is not a quantity that is used here`)
  return Number(number) * { m: 0.001, '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }[unit]
}
