import { isServer, quantity } from '../context.mjs'

/** "Pod Security: restricted", and what it does not ask for: numbers for users, a root file system that nobody writes to, no token. */
export function podsAreRestricted({ workloads }) {
  return workloads.flatMap(({ name, pod, containers }) => [
    ...unless(pod.securityContext?.runAsNonRoot === true, `${name} may run as root: set runAsNonRoot.`),
    ...unless(pod.securityContext?.runAsUser > 0, `${name} does not say as which user it runs.`),
    ...unless(pod.securityContext?.seccompProfile?.type === 'RuntimeDefault', `${name} is not under the seccomp profile RuntimeDefault.`),
    ...unless(pod.automountServiceAccountToken === false, `${name} gets a token for the Kubernetes API, which it does not need.`),
    ...unless(pod.enableServiceLinks === false, `${name} gets variables about other Services, which may collide with settings.`),
    ...containers.flatMap((container) => containerFaults(`${name}, container ${container.name}`, container)),
    ...containers
      .filter((container) => isServer(container) && pod.securityContext?.runAsUser !== 1000)
      .map(() => `${name} does not run as user 1000, as which its image is made.`),
  ])
}

function containerFaults(name, { securityContext = {} }) {
  const dropped = securityContext.capabilities?.drop ?? []
  return [
    ...unless(securityContext.allowPrivilegeEscalation === false, `${name} may gain privileges: set allowPrivilegeEscalation to false.`),
    ...unless(securityContext.readOnlyRootFilesystem === true, `${name} can write to its root file system.`),
    ...unless(dropped.includes('ALL') && !securityContext.capabilities?.add, `${name} keeps capabilities: drop ALL and add none.`),
    ...unless(!securityContext.privileged, `${name} is privileged.`),
    // They would override what the pod says, and the pod is what the rule above looked at.
    ...unless(!('runAsUser' in securityContext || 'runAsNonRoot' in securityContext), `${name} overrides the user of its pod.`),
  ]
}

/** Without a request a node is filled by guesswork, without a limit one pod takes the others' memory. */
export function containersHaveLimits({ workloads, ofKind }) {
  const own = workloads.flatMap(({ name, containers }) =>
    containers.map((container) => [`${name}, container ${container.name}`, container]),
  )
  const pooled = ofKind('Pooler').flatMap(({ metadata, spec }) =>
    (spec.template?.spec.containers ?? []).map((c) => [`Pooler ${metadata.name}`, c]),
  )
  const clusters = ofKind('Cluster').map(({ metadata, spec }) => [`Cluster ${metadata.name}`, spec])
  return [...own, ...pooled, ...clusters].flatMap(([name, { resources }]) =>
    ['requests', 'limits'].flatMap((part) =>
      ['cpu', 'memory'].filter((what) => !resources?.[part]?.[what]).map((what) => `${name} has no ${what} in its ${part}.`),
    ),
  )
}

/** V8 grows to what it is told and not to what the container has; a quarter at least is for what is not on its heap. */
export function heapFitsLimit({ workloads }) {
  return serverContainers(workloads).flatMap(([name, { env = [], resources }]) => {
    const options = env.find((variable) => variable.name === 'NODE_OPTIONS')?.value
    if (options === undefined) return []
    const heap = Number(/--max-old-space-size=(\d+)/.exec(options)?.[1])
    const limit = quantity(resources?.limits?.memory ?? '0')
    return unless(
      heap * 2 ** 20 <= limit * 0.75,
      `${name} has a heap of ${heap} MiB, which leaves too little of ${resources?.limits?.memory}.`,
    )
  })
}

/** What runs forever says when it has started, is ready, and is alive; and whether it is alive is not PostgreSQL's to say. */
export function deploymentsHaveProbes({ workloads }) {
  const lasting = workloads.filter(({ object }) => object.kind !== 'Job')
  return lasting.flatMap(({ name, containers }) =>
    containers.flatMap((container) => [
      ...['startupProbe', 'readinessProbe', 'livenessProbe']
        .filter((probe) => !container[probe])
        .map((probe) => `${name}, container ${container.name} has no ${probe}.`),
      ...probedPorts(container).map((port) => `${name}, container ${container.name} is probed on ${port}, which is not a port of it.`),
      ...(isServer(container) ? serverProbes(name, container) : []),
    ]),
  )
}

function probedPorts(container) {
  const ports = (container.ports ?? []).flatMap(({ name, containerPort }) => [name, containerPort])
  return ['startupProbe', 'readinessProbe', 'livenessProbe']
    .map((probe) => container[probe]?.httpGet?.port ?? container[probe]?.tcpSocket?.port)
    .filter((port) => port !== undefined && !ports.includes(port))
}

function serverProbes(name, { startupProbe, readinessProbe, livenessProbe }) {
  return [
    ...unless(livenessProbe?.httpGet?.path === '/health/live', `${name}: liveness must be asked of /health/live, which asks no database.`),
    ...unless(startupProbe?.httpGet?.path === '/health/live', `${name}: the start is over when /health/live answers.`),
    ...unless(readinessProbe?.httpGet?.path === '/health/ready', `${name}: readiness must be asked of /health/ready.`),
  ]
}

/** `latest`, or no tag, is another program every day. */
export function imagesArePinned({ workloads, ofKind, release }) {
  const images = [
    ...workloads.flatMap(({ name, containers }) => containers.map(({ image }) => [name, image])),
    ...ofKind('Cluster').map(({ metadata, spec }) => [`Cluster ${metadata.name}`, spec.imageName]),
  ]
  return images.flatMap(([name, image]) => {
    const [, tag] = /:([^:/@]+)(?:@|$)/.exec(image) ?? []
    if (!image.includes('@sha256:') && (!tag || tag === 'latest')) return [`${name} runs ${image}, which is not pinned to a version.`]
    return unless(!isServer({ image }) || tag === release, `${name} runs ${image}, but these manifests belong to release ${release}.`)
  })
}

/** Old and new pods side by side, never fewer; and one pod may always be evicted, or no machine could be drained. */
export function rollsWithoutGap({ ofKind }) {
  return [
    ...ofKind('Deployment').flatMap(({ metadata, spec }) =>
      unless(
        spec.strategy?.rollingUpdate?.maxUnavailable === 0,
        `Deployment ${metadata.name} takes old pods away before new ones are ready.`,
      ),
    ),
    ...ofKind('PodDisruptionBudget').flatMap(({ metadata, spec }) =>
      unless(spec.maxUnavailable >= 1, `PodDisruptionBudget ${metadata.name} can forbid every eviction: use maxUnavailable.`),
    ),
  ]
}

function serverContainers(workloads) {
  return workloads.flatMap(({ name, containers }) => containers.filter(isServer).map((container) => [name, container]))
}

function unless(condition, sentence) {
  return condition ? [] : [sentence]
}
