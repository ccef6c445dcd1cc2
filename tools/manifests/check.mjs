import { contextOf } from './context.mjs'
import { routesHaveBackends } from './rules/backends.mjs'
import { connectionsFit, nodesAreCounted } from './rules/budgets.mjs'
import {
  containersHaveLimits,
  deploymentsHaveProbes,
  heapFitsLimit,
  imagesArePinned,
  podsAreRestricted,
  rollsWithoutGap,
} from './rules/containers.mjs'
import { ingressServesStreams, networkIsDeniedByDefault, policiesMatchPods } from './rules/network.mjs'
import { operationsAreScrapedOnly, operationsHaveTheirPort, operationsStayPrivate } from './rules/operations.mjs'
import {
  configMapsExist,
  namesAreUnique,
  namespacesAreSet,
  secretsAreDocumented,
  selectorsMatchTemplates,
  servicesFindPods,
  statefulSetsHaveServices,
  volumesAreMounted,
} from './rules/references.mjs'
import { monitorsFindPorts, scalersAndBudgetsHaveTargets } from './rules/scaling.mjs'
import { podsMayEndInOrder, secretsAreReferences, settingsAreKnown, settingsAreUsable } from './rules/settings.mjs'

/** By the name that a failure is reported under. Each takes a context and returns one sentence per fault. */
export const RULES = {
  'unique-names': namesAreUnique,
  namespaces: namespacesAreSet,
  'own-pods': selectorsMatchTemplates,
  'service-pods': servicesFindPods,
  'statefulset-service': statefulSetsHaveServices,
  'route-backends': routesHaveBackends,
  'config-maps': configMapsExist,
  'documented-secrets': secretsAreDocumented,
  volumes: volumesAreMounted,
  'scaling-targets': scalersAndBudgetsHaveTargets,
  'monitor-ports': monitorsFindPorts,
  'default-deny': networkIsDeniedByDefault,
  'policy-pods': policiesMatchPods,
  'private-operations': operationsStayPrivate,
  'operations-port': operationsHaveTheirPort,
  'operations-policy': operationsAreScrapedOnly,
  'ingress-streams': ingressServesStreams,
  'known-settings': settingsAreKnown,
  'usable-settings': settingsAreUsable,
  'secret-references': secretsAreReferences,
  'restricted-pods': podsAreRestricted,
  limits: containersHaveLimits,
  heap: heapFitsLimit,
  probes: deploymentsHaveProbes,
  'pinned-images': imagesArePinned,
  'no-gap': rollsWithoutGap,
  'orderly-end': podsMayEndInOrder,
  'node-count': nodesAreCounted,
  connections: connectionsFit,
}

/**
 * Everything but the types of fields: whether what one object says of another is true.
 * @param objects what is deployed together
 * @param settings `{ ConfigSchema, loadConfig, deploymentBudget }` of the server
 * @param release the version in package.json
 * @returns `{ rule, fault }` for each
 */
export function check(objects, settings, release) {
  const context = contextOf(objects, settings, release)
  return Object.entries(RULES).flatMap(([rule, find]) => [...new Set(find(context))].map((fault) => ({ rule, fault })))
}
