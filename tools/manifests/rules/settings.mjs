import { environmentOf, isServer } from '../context.mjs'

/** Variables of Node itself, not of ours. */
const ALLOWED = new Set(['NODE_OPTIONS'])

/** What the Secrets would hold: made up, but of the right form. */
const PLACEHOLDERS = {
  SERVER_SECRET: Buffer.alloc(32, 1).toString('base64'),
  DATABASE_URL: 'postgres://microchat:placeholder@pooler-or-server/microchat',
  DIRECT_DATABASE_URL: 'postgres://microchat:placeholder@server/microchat',
  REDIS_URL: 'redis://:placeholder@redis',
  REDIS_SENTINEL_PASSWORD: 'placeholder',
}

/** A setting with a spelling mistake is not a setting: the server reads the names it knows and no others. */
export function settingsAreKnown({ workloads, configMaps, settings }) {
  const known = new Set(Object.keys(settings.ConfigSchema.shape))
  return serverContainers(workloads).flatMap(([name, container]) =>
    environmentOf(container, configMaps)
      .filter((variable) => !known.has(variable.name) && !ALLOWED.has(variable.name))
      .map((variable) => `${name} sets ${variable.name}, which is not a setting of the server.`),
  )
}

/** Secrets come by reference: what is written in a manifest is in the history of a repository. */
export function secretsAreReferences({ objects, workloads, configMaps, settings }) {
  const secret = new Set(Object.entries(settings.ConfigSchema.shape).flatMap(([name, type]) => (type.meta()?.secret ? [name] : [])))
  const looksSecret = (name) => secret.has(name) || /PASSWORD|SECRET|TOKEN|_KEY$/i.test(name)
  return [
    ...objects.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => `Secret ${metadata.name} is written out.`),
    ...workloads.flatMap(({ name, containers }) =>
      containers.flatMap((container) =>
        environmentOf(container, configMaps)
          .filter((variable) => variable.value !== undefined && looksSecret(variable.name))
          .map((variable) => `${name}, container ${container.name} has ${variable.name} written out: take it from a Secret.`),
      ),
    ),
  ]
}

/** Each server reads its settings as it will in the cluster: values without a unit, out of range, or in contradiction show here. */
export function settingsAreUsable(context) {
  return serverContainers(context.workloads).flatMap(([name, container]) => {
    try {
      const { HOST, PORT, ROLE } = configOf(context, container)
      // A worker has nothing on PORT that anybody would want.
      if (!container.ports || ROLE === 'worker') return []
      const listens = HOST === '0.0.0.0' && container.ports.some(({ containerPort }) => containerPort === PORT)
      return listens ? [] : [`${name} listens on ${HOST}:${PORT}, which is not the port of its container.`]
    } catch (error) {
      return [`${name}: ${error.message}`]
    }
  })
}

/** As the server reads its environment. @throws the server's own ConfigError */
export function configOf({ configMaps, settings, ofKind }, container) {
  const environment = Object.fromEntries(
    environmentOf(container, configMaps).map(({ name, value, secret }) => [name, secret ? PLACEHOLDERS[name] : value]),
  )
  // Optional keys are there where they are needed: beside a pooler, and with sentinels.
  if (ofKind('Pooler').length === 0) delete environment['DIRECT_DATABASE_URL']
  if (environment['REDIS_MODE'] !== 'sentinel') delete environment['REDIS_SENTINEL_PASSWORD']
  return settings.loadConfig(environment)
}

/** The servers among the workloads, by ROLE: `{ name, object, pod, container, config }`. Those whose settings are unusable are another rule's. */
export function serversOf(context) {
  return context.workloads.flatMap(({ name, object, pod, containers }) => {
    const container = containers.find(isServer)
    if (!container || object.kind !== 'Deployment') return []
    try {
      return [{ name, object, pod, container, config: configOf(context, container) }]
    } catch {
      return []
    }
  })
}

/** What a stop takes, in seconds: see the server's drain. */
export function stopSeconds({ DRAIN_DELAY, SHUTDOWN_GRACE }) {
  return (DRAIN_DELAY + SHUTDOWN_GRACE) / 1000 + 1
}

/** Killed before it has ended, a server leaves its streams to find out by themselves and its acknowledgements unwritten. */
export function podsMayEndInOrder(context) {
  return serversOf(context).flatMap(({ name, pod, config }) => {
    const [needed, given] = [stopSeconds(config), pod.terminationGracePeriodSeconds ?? 30]
    return given > needed
      ? []
      : [`${name} is killed after ${given} s, but may take ${needed} s to end (DRAIN_DELAY + SHUTDOWN_GRACE + 1 s).`]
  })
}

function serverContainers(workloads) {
  return workloads.flatMap(({ name, containers }) => containers.filter(isServer).map((container) => [name, container]))
}
