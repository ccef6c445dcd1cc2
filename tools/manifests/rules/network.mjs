import { selects } from '../context.mjs'
import { NEIGHBOURS } from '../targets.mjs'
import { hasPort } from './references.mjs'

/** Pods that other programs start here for a moment; cert-manager's answer challenges. */
const VISITORS = [{ labels: { 'acme.cert-manager.io/http01-solver': 'true' }, ports: [{ containerPort: 8089 }] }]

/** Without a policy that denies everything the others allow nothing: everything is allowed already. */
export function networkIsDeniedByDefault({ ofKind }) {
  const denies = ofKind('NetworkPolicy').some(
    ({ spec }) =>
      Object.keys(spec.podSelector).length === 0 &&
      !spec.ingress &&
      !spec.egress &&
      ['Ingress', 'Egress'].every((type) => spec.policyTypes?.includes(type)),
  )
  return denies ? [] : ['No NetworkPolicy denies by default what the others do not allow.']
}

/**
 * A selector that matches nothing forbids in silence what it was meant to allow. Sentinels' ports may have nobody: one policy
 * serves both ways of running Redis.
 */
export function policiesMatchPods({ ofKind, pods }) {
  return ofKind('NetworkPolicy').flatMap(({ metadata, spec }) => {
    const name = `NetworkPolicy ${metadata.name}`
    const [here, subjects] = [[...pods, ...VISITORS], [...pods, ...VISITORS].filter(({ labels }) => selects(spec.podSelector, labels))]
    if (subjects.length === 0) return [`${name} is about no pods.`]
    const peers = [...(spec.ingress ?? []).flatMap(({ from = [] }) => from), ...(spec.egress ?? []).flatMap(({ to = [] }) => to)]
    return [
      ...peers.flatMap((peer) => peerFaults(name, peer, here)),
      ...(spec.ingress ?? []).flatMap(({ ports = [] }) => strayPorts(name, ports, subjects)),
      ...(spec.egress ?? []).flatMap(({ ports = [], to = [] }) => strayPorts(name, ports, podsOf(to, here))),
    ]
  })
}

function peerFaults(name, { namespaceSelector, podSelector, ipBlock }, here) {
  if (ipBlock) return []
  if (!namespaceSelector) {
    const found = here.some(({ labels }) => selects(podSelector, labels))
    return found ? [] : [`${name} is about traffic with pods that do not exist: ${JSON.stringify(podSelector)}.`]
  }
  const namespace = namespaceSelector.matchLabels?.['kubernetes.io/metadata.name']
  const neighbour = NEIGHBOURS[namespace]
  if (neighbour && selects(podSelector, neighbour)) return []
  return [`${name} is about traffic with pods in the namespace ${namespace} that are not known: ${JSON.stringify(podSelector)}.`]
}

/** The pods among ours that peers select; none if a peer is somebody else's. */
function podsOf(peers, here) {
  if (peers.length === 0 || peers.some(({ namespaceSelector, ipBlock }) => namespaceSelector || ipBlock)) return []
  return here.filter(({ labels }) => peers.some(({ podSelector }) => selects(podSelector, labels)))
}

const OPTIONAL_PORTS = new Set([26379, 9127])

function strayPorts(name, ports, pods) {
  if (pods.length === 0) return []
  return ports
    .filter(({ port }) => !OPTIONAL_PORTS.has(port) && !pods.some((pod) => hasPort(pod.ports, port)))
    .map(({ port }) => `${name} allows port ${port}, which none of the pods has.`)
}

const TIMEOUTS = ['proxy-read-timeout', 'proxy-send-timeout']
const ANNOTATION = 'nginx.ingress.kubernetes.io/'

/** Streams are idle for a heartbeat, bodies are as large as the server takes, TLS always, and no line about anybody. */
export function ingressServesStreams({ ofKind, settings }) {
  const defaults = settings.loadConfig({})
  return ofKind('Ingress').flatMap(({ metadata, spec }) => {
    const annotation = (name) => metadata.annotations?.[`${ANNOTATION}${name}`]
    const hosts = new Set((spec.tls ?? []).flatMap(({ hosts: names = [] }) => names))
    return [
      ...TIMEOUTS.filter((name) => !(Number(annotation(name)) * 1000 > 2 * defaults.STREAM_HEARTBEAT)).map(
        (name) => `Ingress ${metadata.name}: ${name} must be well above STREAM_HEARTBEAT.`,
      ),
      ...(megabytes(annotation('proxy-body-size')) >= defaults.MAX_BODY_BYTES
        ? []
        : [`Ingress ${metadata.name}: proxy-body-size is below MAX_BODY_BYTES.`]),
      ...(annotation('enable-access-log') === 'false' ? [] : [`Ingress ${metadata.name} writes an access log.`]),
      ...(annotation('force-ssl-redirect') === 'true' ? [] : [`Ingress ${metadata.name} answers without TLS.`]),
      ...(spec.rules ?? [])
        .filter(({ host }) => !hosts.has(host))
        .map(({ host }) => `Ingress ${metadata.name} has no certificate for ${host}.`),
    ]
  })
}

function megabytes(text) {
  return Number(/^(\d+)m$/.exec(text ?? '')?.[1]) * 2 ** 20
}
