import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { parse } from 'yaml'
import {
  brokenRules,
  canRender,
  DEPLOYMENTS,
  faultsOf,
  find,
  FOLDERS,
  renderAll,
  RELEASE,
  RULES,
  SECRETS,
  type Manifest,
} from './manifests-fixture.js'
import { OPERATIONS_MUTATIONS } from './operations-mutations.js'

const K8S = join(import.meta.dirname, '../../k8s')

const describeRendered = canRender() ? describe : describe.skip

let rendered: Map<string, Manifest[]>

/** A deployment of this repository's, as it is rendered, except that its images are of the release that the tests name. */
function deployment(name: string): Manifest[] {
  const objects = structuredClone(DEPLOYMENTS[name]!.flatMap((folder) => rendered.get(folder)!))
  for (const { spec } of objects) {
    for (const container of spec?.template?.spec?.containers ?? []) {
      container.image = container.image?.replace(/(microchat-server:).*/, `$1${RELEASE}`)
    }
  }
  return objects
}

beforeAll(async () => {
  if (canRender()) rendered = await renderAll(FOLDERS)
})

describeRendered('what is in k8s/, as kubectl renders it,', () => {
  it.each(Object.keys(DEPLOYMENTS))('obeys every rule: %s', (name) => {
    expect(brokenRules(deployment(name))).toEqual([])
  })
  it('is all looked at: each kustomization that can be applied is part of a deployment that is checked', () => {
    const files = readdirSync(K8S, { recursive: true, withFileTypes: true }).filter(({ name }) => name === 'kustomization.yaml')
    const applied = files
      .map(({ parentPath, name }) => join(parentPath, name))
      .filter((file) => parse(readFileSync(file, 'utf8')).kind === 'Kustomization')
    expect(applied.map((file) => relative(K8S, dirname(file))).sort()).toEqual([...FOLDERS].sort())
  })
  it('comes with a README that names every Secret, and the keys that an operator has to give', () => {
    const readme = readFileSync(join(K8S, 'README.md'), 'utf8')
    for (const word of Object.entries(SECRETS).flatMap(([secret, keys]) => [secret, ...keys])) expect(readme).toContain(word)
  })
  it('gives each process the connections that the comments count', () => {
    const { data } = rendered.get('overlays/production')!.find(({ kind }) => kind === 'ConfigMap')
    expect(data).toMatchObject({ API_NODES: '12', WORKER_NODES: '4', PG_POOL_API: '10', PG_POOL_WORKER: '5' })
  })
})

const api = (objects: Manifest[]) => find(objects, 'Deployment', 'microchat-api')
const pod = (objects: Manifest[]) => api(objects).spec.template.spec
const container = (objects: Manifest[]) => pod(objects).containers[0]
const ingress = (objects: Manifest[]) => find(objects, 'Ingress', 'microchat')
const settings = (objects: Manifest[]) => objects.find(({ kind, metadata }) => kind === 'ConfigMap' && /settings/.test(metadata.name))
const policy = (objects: Manifest[], name: string) => find(objects, 'NetworkPolicy', name).spec
const variable = (objects: Manifest[], name: string) => container(objects).env.find((entry: Manifest) => entry.name === name)
const remove = (objects: Manifest[], kind: string, name: string) => objects.splice(objects.indexOf(find(objects, kind, name)), 1)

/** Rule, what is wrong, and how it is made wrong in a production deployment. */
const MUTATIONS: [rule: string, wrong: string, mutate: (objects: Manifest[]) => unknown][] = [
  ['unique-names', 'an object twice', (o) => o.push(structuredClone(find(o, 'Service', 'microchat-api')))],
  ['namespaces', 'an object without a namespace', (o) => delete find(o, 'ServiceAccount', 'microchat').metadata.namespace],
  ['own-pods', 'a Deployment that selects others’ pods', (o) => (api(o).spec.selector.matchLabels['app.kubernetes.io/component'] = 'apj')],
  ['own-pods', 'a spread that counts others’ pods', (o) => (pod(o).topologySpreadConstraints[1].labelSelector.matchLabels = { app: 'x' })],
  ['service-pods', 'a Service with a wrong selector', (o) => (find(o, 'Service', 'microchat-api').spec.selector.app = 'x')],
  [
    'service-pods',
    'a Service to a port that is not there',
    (o) => (find(o, 'Service', 'microchat-api').spec.ports[0].targetPort = 'https'),
  ],
  [
    'statefulset-service',
    'a StatefulSet without its Service',
    (o) => (find(o, 'StatefulSet', 'microchat-redis').spec.serviceName = 'redis'),
  ],
  ['route-backends', 'an Ingress to no Service', (o) => (ingress(o).spec.rules[0].http.paths[0].backend.service.name = 'api')],
  ['route-backends', 'an Ingress to no port', (o) => (ingress(o).spec.rules[0].http.paths[0].backend.service.port = { number: 81 })],
  ['config-maps', 'a ConfigMap that nobody makes', (o) => container(o).envFrom.push({ configMapRef: { name: 'elsewhere' } })],
  [
    'config-maps',
    'a key that a ConfigMap lacks',
    (o) => container(o).env.push({ name: 'DOMAIN', valueFrom: { configMapKeyRef: { name: settings(o).metadata.name, key: 'DOMANE' } } }),
  ],
  ['documented-secrets', 'a Secret that is not documented', (o) => (variable(o, 'REDIS_URL').valueFrom.secretKeyRef.name = 'redis')],
  ['documented-secrets', 'a key that is not documented', (o) => (variable(o, 'REDIS_URL').valueFrom.secretKeyRef.key = 'url')],
  ['documented-secrets', 'a certificate that is not documented', (o) => (ingress(o).spec.tls[0].secretName = 'tls')],
  ['volumes', 'a mount of no volume', (o) => (container(o).volumeMounts[0].name = 'temp')],
  ['scaling-targets', 'a scaler of nothing', (o) => (find(o, 'HorizontalPodAutoscaler', 'microchat-api').spec.scaleTargetRef.name = 'api')],
  ['scaling-targets', 'replicas with a scaler', (o) => (api(o).spec.replicas = 3)],
  [
    'scaling-targets',
    'a budget of nothing',
    (o) => (find(o, 'PodDisruptionBudget', 'microchat-api').spec.selector.matchLabels = { app: 'x' }),
  ],
  ['monitor-ports', 'a monitor of no Service', (o) => (find(o, 'ServiceMonitor', 'microchat').spec.selector.matchLabels = { app: 'x' })],
  ['monitor-ports', 'a monitor of no port', (o) => (find(o, 'ServiceMonitor', 'microchat').spec.endpoints[0].port = 'web')],
  ['monitor-ports', 'a monitor of no pods', (o) => (find(o, 'PodMonitor', 'microchat-postgres').spec.selector.matchLabels = { app: 'x' })],
  ['default-deny', 'no policy that denies', (o) => remove(o, 'NetworkPolicy', 'default-deny')],
  ['default-deny', 'a policy that denies one direction', (o) => (policy(o, 'default-deny').policyTypes = ['Ingress'])],
  ['policy-pods', 'a policy about nobody', (o) => (policy(o, 'microchat-to-redis').podSelector.matchLabels = { app: 'x' })],
  [
    'policy-pods',
    'a policy towards nobody',
    (o) => (policy(o, 'microchat-to-postgres').egress[0].to[0].podSelector.matchLabels = { a: 'x' }),
  ],
  ['policy-pods', 'a policy for a port that nobody has', (o) => (policy(o, 'microchat-to-postgres').egress[0].ports[0].port = 5433)],
  [
    'policy-pods',
    'a policy for neighbours that are not known',
    (o) =>
      (policy(o, 'microchat-api-from-ingress').ingress[0].from[0].namespaceSelector.matchLabels = {
        'kubernetes.io/metadata.name': 'nginx',
      }),
  ],
  ...OPERATIONS_MUTATIONS,
  [
    'ingress-streams',
    'a short time-out',
    (o) => (ingress(o).metadata.annotations['nginx.ingress.kubernetes.io/proxy-read-timeout'] = '30'),
  ],
  ['ingress-streams', 'small bodies', (o) => (ingress(o).metadata.annotations['nginx.ingress.kubernetes.io/proxy-body-size'] = '5m')],
  ['ingress-streams', 'an access log', (o) => delete ingress(o).metadata.annotations['nginx.ingress.kubernetes.io/enable-access-log']],
  ['ingress-streams', 'plain HTTP', (o) => delete ingress(o).metadata.annotations['nginx.ingress.kubernetes.io/force-ssl-redirect']],
  ['ingress-streams', 'a host without a certificate', (o) => (ingress(o).spec.tls[0].hosts = ['example.com'])],
  ['known-settings', 'an unknown setting in a container', (o) => container(o).env.push({ name: 'PG_POOL_MAXIMUM', value: '10' })],
  ['known-settings', 'an unknown setting in the ConfigMap', (o) => (settings(o).data['DOMANE'] = 'chat.example.com')],
  ['usable-settings', 'a duration without a unit', (o) => (settings(o).data['SHUTDOWN_GRACE'] = '8')],
  ['usable-settings', 'another port than the container’s', (o) => (settings(o).data['PORT'] = '8081')],
  ['usable-settings', 'an address that only the container itself reaches', (o) => (settings(o).data['HOST'] = '127.0.0.1')],
  ['usable-settings', 'no database', (o) => container(o).env.splice(container(o).env.indexOf(variable(o, 'DATABASE_URL')), 1)],
  [
    'secret-references',
    'a secret written out in a container',
    (o) => container(o).env.push({ name: 'REDIS_SENTINEL_PASSWORD', value: 'x' }),
  ],
  ['secret-references', 'a secret written out in the ConfigMap', (o) => (settings(o).data['OTHER_PASSWORD'] = 'x')],
  ['secret-references', 'a Secret', (o) => o.push({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x', namespace: 'microchat' } })],
  ['restricted-pods', 'a user that may be root', (o) => delete pod(o).securityContext.runAsNonRoot],
  ['restricted-pods', 'another user than the image’s', (o) => (pod(o).securityContext.runAsUser = 1001)],
  ['restricted-pods', 'no seccomp profile', (o) => delete pod(o).securityContext.seccompProfile],
  ['restricted-pods', 'a token', (o) => delete pod(o).automountServiceAccountToken],
  ['restricted-pods', 'variables about Services', (o) => delete pod(o).enableServiceLinks],
  ['restricted-pods', 'privilege escalation', (o) => delete container(o).securityContext.allowPrivilegeEscalation],
  ['restricted-pods', 'a writable root file system', (o) => (container(o).securityContext.readOnlyRootFilesystem = false)],
  ['restricted-pods', 'capabilities', (o) => (container(o).securityContext.capabilities = { drop: ['ALL'], add: ['NET_RAW'] })],
  ['restricted-pods', 'a container that overrides the user', (o) => (container(o).securityContext.runAsUser = 0)],
  ['limits', 'no memory limit', (o) => delete container(o).resources.limits.memory],
  ['limits', 'no requests', (o) => delete find(o, 'Cluster', 'microchat-postgres').spec.resources.requests],
  ['heap', 'a heap as large as the container', (o) => (variable(o, 'NODE_OPTIONS').value = '--max-old-space-size=2048')],
  ['heap', 'a heap that is not said', (o) => (variable(o, 'NODE_OPTIONS').value = '--enable-source-maps')],
  ['probes', 'no liveness probe', (o) => delete container(o).livenessProbe],
  ['probes', 'liveness that asks the database', (o) => (container(o).livenessProbe.httpGet.path = '/health/ready')],
  ['probes', 'a probe of another port', (o) => (container(o).readinessProbe.httpGet.port = 9091)],
  [
    'pinned-images',
    'the latest image',
    (o) => (find(o, 'StatefulSet', 'microchat-redis').spec.template.spec.containers[0].image = 'redis:latest'),
  ],
  ['pinned-images', 'an image without a tag', (o) => (find(o, 'Cluster', 'microchat-postgres').spec.imageName = 'host:5000/postgresql')],
  ['pinned-images', 'another release', (o) => (container(o).image = 'registry.example.com/microchat-server:0.0.9')],
  ['no-gap', 'a roll that takes pods away first', (o) => (api(o).spec.strategy.rollingUpdate.maxUnavailable = 1)],
  ['no-gap', 'a budget that forbids evictions', (o) => (find(o, 'PodDisruptionBudget', 'microchat-api').spec = minAvailable(o))],
  ['orderly-end', 'less time than a stop may take', (o) => (pod(o).terminationGracePeriodSeconds = 14)],
  ['node-count', 'more replicas than API_NODES says', (o) => (find(o, 'HorizontalPodAutoscaler', 'microchat-api').spec.maxReplicas = 9)],
  ['node-count', 'more new pods than API_NODES says', (o) => (api(o).spec.strategy.rollingUpdate.maxSurge = '50%')],
  ['node-count', 'new pods that count before the old ones are gone', (o) => (api(o).spec.minReadySeconds = 10)],
  [
    'connections',
    'too few connections',
    (o) => (find(o, 'Cluster', 'microchat-postgres').spec.postgresql.parameters.max_connections = '199'),
  ],
]

function minAvailable(objects: Manifest[]): Manifest {
  const { maxUnavailable: _, ...rest } = find(objects, 'PodDisruptionBudget', 'microchat-api').spec
  return { ...rest, minAvailable: 1 }
}

describeRendered('each rule for manifests', () => {
  it.each(MUTATIONS)('%s refuses %s', (rule, _wrong, mutate) => {
    const objects = deployment('production')
    mutate(objects)
    expect(brokenRules(objects)).toContain(rule)
  })
  it('is broken on purpose by one of these at least', () => {
    expect(new Set(MUTATIONS.map(([rule]) => rule))).toEqual(new Set(RULES))
  })
  it('holds for a Gateway as for an Ingress', () => {
    const objects = deployment('production, by Gateway')
    find(objects, 'HTTPRoute', 'microchat').spec.rules[0].matches[0].path.value = '/'
    find(objects, 'HTTPRoute', 'microchat').spec.rules[0].backendRefs[0].port = 8080
    expect(brokenRules(objects).sort()).toEqual(['private-operations', 'route-backends'])
  })
  it.each([
    ['max_client_conn', '187'],
    ['default_pool_size', '70'],
  ])('holds for a pooler: %s', (parameter, value) => {
    const objects = deployment('production, pooled')
    find(objects, 'Pooler', 'microchat-postgres-pooler').spec.pgbouncer.parameters[parameter] = value
    expect(brokenRules(objects)).toEqual(['connections'])
  })
  it('says what is wrong in a sentence with the object in it', () => {
    const objects = deployment('production')
    pod(objects).terminationGracePeriodSeconds = 10
    expect(faultsOf(objects)).toEqual([
      'Deployment microchat-api is killed after 10 s, but may take 14 s to end (DRAIN_DELAY + SHUTDOWN_GRACE + 1 s).',
    ])
  })
})
