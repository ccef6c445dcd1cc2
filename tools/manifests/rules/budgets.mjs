import { serversOf, stopSeconds } from './settings.mjs'

const NODES = { api: 'API_NODES', worker: 'WORKER_NODES' }

/** What PostgreSQL keeps for superusers (3), and what the operator and its metrics open. */
const NOT_OURS = 10

/**
 * How many processes of a role there can be: all replicas, maxSurge new ones, and maxSurge old ones that are still ending. Not more,
 * because a new pod counts as available only after the time in which an old one ends.
 */
export function nodesAreCounted(context) {
  return serversOf(context).flatMap(({ name, object, config }) => {
    const { replicas = 1, strategy, minReadySeconds = 0 } = object.spec
    const most = scaledTo(context, object) ?? replicas
    const needed = most + 2 * surgeOf(strategy, most)
    const setting = NODES[config.ROLE]
    if (!setting) return [`${name} has the ROLE ${config.ROLE}: api and worker are deployed apart.`]
    return [
      ...(config[setting] === needed ? [] : [`${name} can be ${needed} processes during an update, but ${setting} is ${config[setting]}.`]),
      ...(minReadySeconds >= stopSeconds(config)
        ? []
        : [`${name}: minReadySeconds must be ${stopSeconds(config)} or more, as long as a stop takes.`]),
    ]
  })
}

function scaledTo({ ofKind }, { kind, metadata }) {
  const target = ({ spec }) => spec.scaleTargetRef.kind === kind && spec.scaleTargetRef.name === metadata.name
  return ofKind('HorizontalPodAutoscaler').find(target)?.spec.maxReplicas
}

/** A number of pods, or a share of them, rounded up; 25% if nothing is said. */
function surgeOf(strategy, replicas) {
  const surge = strategy?.rollingUpdate?.maxSurge ?? '25%'
  return typeof surge === 'number' ? surge : Math.ceil((Number.parseInt(surge, 10) / 100) * replicas)
}

/** The server's own count of its connections, against the PostgreSQL and the pooler that are deployed with it. */
export function connectionsFit(context) {
  const { ofKind, settings } = context
  return ofKind('Cluster').flatMap(({ metadata, spec }) => {
    const most = Number(spec.postgresql.parameters?.max_connections ?? 100) - NOT_OURS
    const poolers = ofKind('Pooler').filter((pooler) => pooler.spec.cluster.name === metadata.name)
    const fromPoolers = poolers.reduce((sum, pooler) => sum + serverConnections(pooler), 0)
    return serversOf(context).flatMap(({ name, config }) => {
      const { onPostgres, onPooler } = settings.deploymentBudget(config)
      const wanted = onPostgres + fromPoolers
      return [
        ...(wanted <= most ? [] : [`${name} counts ${wanted} connections; Cluster ${metadata.name} has ${most} for it.`]),
        ...poolers
          .filter((pooler) => onPooler > parameter(pooler, 'max_client_conn', 100))
          .map((pooler) => `${name} counts ${onPooler} connections to Pooler ${pooler.metadata.name}, whose max_client_conn is lower.`),
      ]
    })
  })
}

/** Of all pgbouncers, one more during an update. */
function serverConnections(pooler) {
  return (pooler.spec.instances + 1) * parameter(pooler, 'default_pool_size', 20)
}

function parameter(pooler, name, otherwise) {
  return Number(pooler.spec.pgbouncer.parameters?.[name] ?? otherwise)
}
