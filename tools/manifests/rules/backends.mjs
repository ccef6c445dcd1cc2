/** What traffic is sent to has to exist, with that port. */
export function routesHaveBackends({ ofKind }) {
  const backends = [
    ...ofKind('Ingress').flatMap(({ metadata, spec }) =>
      (spec.rules ?? []).flatMap(({ http }) =>
        (http?.paths ?? []).map(({ backend }) => [
          `Ingress ${metadata.name}`,
          backend.service?.name,
          backend.service?.port?.name ?? backend.service?.port?.number,
        ]),
      ),
    ),
    ...ofKind('HTTPRoute').flatMap(({ metadata, spec }) =>
      spec.rules.flatMap(({ backendRefs }) => backendRefs.map(({ name, port }) => [`HTTPRoute ${metadata.name}`, name, port])),
    ),
  ]
  return backends.flatMap(([route, service, port]) => {
    const found = ofKind('Service').find(({ metadata }) => metadata.name === service)
    if (found?.spec.ports.some((candidate) => candidate.name === port || candidate.port === port)) return []
    return [`${route} sends to port ${port} of Service ${service}, which does not exist.`]
  })
}
