import { find, type Manifest } from './manifests-fixture.js'

const ingress = (objects: Manifest[]) => find(objects, 'Ingress', 'microchat')
const container = (objects: Manifest[]) => find(objects, 'Deployment', 'microchat-api').spec.template.spec.containers[0]
const settings = (objects: Manifest[]) => objects.find(({ kind, metadata }) => kind === 'ConfigMap' && /settings/.test(metadata.name))
const policy = (objects: Manifest[], name: string) => find(objects, 'NetworkPolicy', name).spec

/** Of the rules about the port of health and metrics: rule, what is wrong, and how it is made wrong in a production deployment. */
export const OPERATIONS_MUTATIONS: [rule: string, wrong: string, mutate: (objects: Manifest[]) => unknown][] = [
  [
    'private-operations',
    'a public Service that leads to the port of metrics',
    (o) => find(o, 'Service', 'microchat-api').spec.ports.push({ name: 'metrics', port: 9090, targetPort: 'operations' }),
  ],
  [
    'private-operations',
    'a Service of metrics that is open to the world',
    (o) => (find(o, 'Service', 'microchat-worker-metrics').spec.type = 'NodePort'),
  ],
  ['operations-port', 'metrics on the public port', (o) => delete settings(o).data['OPERATIONS_PORT']],
  ['operations-port', 'another port than the container’s', (o) => (settings(o).data['OPERATIONS_PORT'] = '9091')],
  ['operations-port', 'a probe of the public port', (o) => (container(o).livenessProbe.httpGet.port = 'http')],
  [
    'operations-policy',
    'an ingress controller that reaches metrics',
    (o) => policy(o, 'microchat-api-from-ingress').ingress[0].ports.push({ port: 'operations', protocol: 'TCP' }),
  ],
  ['operations-policy', 'a policy that opens all ports', (o) => delete policy(o, 'microchat-api-from-ingress').ingress[0].ports],
  [
    'operations-policy',
    'a range that has the port in it',
    (o) => (policy(o, 'microchat-api-from-ingress').ingress[0].ports = [{ port: 8080, endPort: 9100, protocol: 'TCP' }]),
  ],
  [
    'operations-policy',
    'all pods of the namespace of Prometheus',
    (o) => delete policy(o, 'microchat-from-prometheus').ingress[0].from[0].podSelector,
  ],
  ['operations-policy', 'every pod may scrape', (o) => delete policy(o, 'microchat-from-prometheus').ingress[0].from],
  ['private-operations', 'a path that leads to /metrics', (o) => (ingress(o).spec.rules[0].http.paths[0].path = '/metrics')],
  ['private-operations', 'a prefix of /health/ready', (o) => (ingress(o).spec.rules[0].http.paths[0].path = '/health/')],
  ['private-operations', 'a path that leads everywhere', (o) => (ingress(o).spec.rules[0].http.paths[0].path = '/')],
  [
    'private-operations',
    'a path that is for the controller to interpret',
    (o) => (ingress(o).spec.rules[0].http.paths[0].pathType = 'ImplementationSpecific'),
  ],
  [
    'private-operations',
    'a default backend',
    (o) => (ingress(o).spec.defaultBackend = { service: { name: 'microchat-api', port: { name: 'http' } } }),
  ],
]
