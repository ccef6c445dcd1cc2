import { isNamespaced, selects } from '../context.mjs'
import { SECRETS } from '../targets.mjs'
import { nameOf } from '../types.mjs'

/** Applied together, the second would silently replace the first. */
export function namesAreUnique({ objects }) {
  const seen = new Set()
  return objects.flatMap((object) => {
    const name = `${nameOf(object)} (${object.apiVersion})`
    return seen.has(name) ? [`${name} is there twice.`] : (seen.add(name), [])
  })
}

/** Without a namespace an object goes wherever kubectl happens to be. */
export function namespacesAreSet({ objects, ofKind }) {
  const known = new Set(ofKind('Namespace').map(({ metadata }) => metadata.name))
  return objects.filter(isNamespaced).flatMap((object) => {
    const { namespace } = object.metadata
    return known.has(namespace) ? [] : [`${nameOf(object)} is in the namespace ${namespace}, which nobody makes.`]
  })
}

/** A template that its own selector does not match is refused by the API server; a spread that does not count its own pods spreads nothing. */
export function selectorsMatchTemplates({ workloads }) {
  return workloads.flatMap(({ name, object, labels, pod }) => [
    ...(object.spec.selector && !selects(object.spec.selector, labels) ? [`${name} does not select its own pods.`] : []),
    ...(pod.topologySpreadConstraints ?? [])
      .filter(({ labelSelector }) => !labelSelector || !selects(labelSelector, labels))
      .map(({ topologyKey }) => `${name} spreads other pods than its own over ${topologyKey}.`),
  ])
}

export function servicesFindPods({ ofKind, pods }) {
  return ofKind('Service').flatMap(({ metadata, spec }) => {
    const found = pods.filter(
      ({ labels, namespace }) => namespace === metadata.namespace && selects({ matchLabels: spec.selector }, labels),
    )
    if (!spec.selector || found.length === 0) return [`Service ${metadata.name} selects no pods.`]
    return spec.ports
      .filter(({ targetPort, port }) => !found.every(({ ports }) => hasPort(ports, targetPort ?? port)))
      .map(({ targetPort, port }) => `Service ${metadata.name} leads to port ${targetPort ?? port}, which its pods do not have.`)
  })
}

/** A StatefulSet's pods have names only through the headless Service that it is told. */
export function statefulSetsHaveServices({ ofKind }) {
  return ofKind('StatefulSet').flatMap(({ metadata, spec }) => {
    const service = ofKind('Service').find((candidate) => candidate.metadata.name === spec.serviceName)
    if (service && selects({ matchLabels: service.spec.selector }, spec.template.metadata.labels)) return []
    return [`StatefulSet ${metadata.name} names the Service ${spec.serviceName}, which does not select its pods.`]
  })
}

export function configMapsExist({ workloads, configMaps }) {
  return workloads.flatMap(({ name, pod, containers }) => {
    const references = [
      ...(pod.volumes ?? []).flatMap(({ configMap }) =>
        configMap ? [{ ...configMap, keys: (configMap.items ?? []).map(({ key }) => key) }] : [],
      ),
      ...containers.flatMap(({ envFrom = [] }) =>
        envFrom.flatMap(({ configMapRef }) => (configMapRef ? [{ ...configMapRef, keys: [] }] : [])),
      ),
      ...containers.flatMap(({ env = [] }) =>
        env.flatMap(({ valueFrom }) =>
          valueFrom?.configMapKeyRef ? [{ ...valueFrom.configMapKeyRef, keys: [valueFrom.configMapKeyRef.key] }] : [],
        ),
      ),
    ]
    return references.flatMap(({ name: map, keys }) => {
      if (!configMaps.has(map)) return [`${name} wants the ConfigMap ${map}, which nobody makes.`]
      return keys
        .filter((key) => !(key in configMaps.get(map)))
        .map((key) => `${name} wants ${key} of the ConfigMap ${map}, which lacks it.`)
    })
  })
}

export function secretsAreDocumented(context) {
  return secretReferences(context)
    .filter(([, secret, key]) => !SECRETS[secret] || (key !== undefined && !SECRETS[secret].includes(key)))
    .map(
      ([name, secret, key]) =>
        `${name} wants ${key ?? 'something'} of the Secret ${secret}, which k8s/README.md does not tell how to make.`,
    )
}

function secretReferences({ workloads, ofKind }) {
  return [
    ...workloads.flatMap(({ name, pod, containers }) => [
      ...containers.flatMap(({ env = [] }) =>
        env.flatMap(({ valueFrom }) => (valueFrom?.secretKeyRef ? [[name, valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key]] : [])),
      ),
      ...containers.flatMap(({ envFrom = [] }) => envFrom.flatMap(({ secretRef }) => (secretRef ? [[name, secretRef.name]] : []))),
      ...(pod.volumes ?? []).flatMap(({ secret }) =>
        secret ? (secret.items ?? [{}]).map(({ key }) => [name, secret.secretName, key]) : [],
      ),
    ]),
    ...ofKind('Ingress').flatMap((ingress) => (ingress.spec.tls ?? []).map(({ secretName }) => [nameOf(ingress), secretName])),
    ...ofKind('Cluster').map((cluster) => [nameOf(cluster), cluster.spec.bootstrap.initdb.secret?.name, 'password']),
    ...ofKind('Certificate').map((certificate) => [nameOf(certificate), certificate.spec.secretName]),
  ]
}

export function volumesAreMounted({ workloads }) {
  return workloads.flatMap(({ name, object, pod, containers }) => {
    const claims = (object.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
    const volumes = [...(pod.volumes ?? []).map((volume) => volume.name), ...claims]
    const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map((mount) => mount.name))
    return [
      ...mounted.filter((mount) => !volumes.includes(mount)).map((mount) => `${name} mounts ${mount}, which is not a volume of it.`),
      ...volumes.filter((volume) => !mounted.includes(volume)).map((volume) => `${name} has the volume ${volume} and mounts it nowhere.`),
    ]
  })
}

export function hasPort(ports, wanted) {
  return ports.some(({ name, containerPort }) => name === wanted || containerPort === wanted)
}
