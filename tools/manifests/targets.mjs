/**
 * What is applied together, and so is checked together: a selector may point from one folder into another.
 * Every kustomization under k8s/ that can be rendered must be in one of these (a test sees to it).
 */
export const DEPLOYMENTS = {
  base: ['base', 'base/migrate', 'examples/postgres', 'examples/redis-single'],
  small: ['overlays/small', 'overlays/small/migrate', 'examples/postgres', 'examples/redis-single', 'examples/cert-manager'],
  production: [
    'overlays/production',
    'overlays/production/migrate',
    'examples/postgres',
    'examples/postgres/monitoring',
    'examples/redis-sentinel',
    'examples/cert-manager',
    'examples/federation',
  ],
  'production, pooled': ['overlays/production', 'overlays/production/migrate', 'examples/postgres-pooler', 'examples/redis-sentinel'],
  'production, by Gateway': ['examples/gateway-api', 'overlays/production/migrate', 'examples/postgres', 'examples/redis-sentinel'],
}

export const FOLDERS = [...new Set(Object.values(DEPLOYMENTS).flat())]

/** The Secrets that an operator makes (k8s/README.md has the commands) or that another program makes for us, with their keys. */
export const SECRETS = {
  'microchat-server': ['SERVER_SECRET'],
  'microchat-database': ['DATABASE_URL', 'DIRECT_DATABASE_URL'],
  'microchat-redis': ['REDIS_URL', 'REDIS_SENTINEL_PASSWORD', 'redis-password'],
  'microchat-postgres-owner': ['username', 'password'],
  // By CloudNativePG.
  'microchat-postgres-ca': ['ca.crt'],
  // By cert-manager, or by the operator.
  'microchat-tls': ['tls.crt', 'tls.key'],
}

/** Pods of others, in namespaces of others, that policies may name. */
export const NEIGHBOURS = {
  'kube-system': { 'k8s-app': 'kube-dns' },
  'ingress-nginx': { 'app.kubernetes.io/name': 'ingress-nginx', 'app.kubernetes.io/component': 'controller' },
  monitoring: { 'app.kubernetes.io/name': 'prometheus' },
  'cnpg-system': { 'app.kubernetes.io/name': 'cloudnative-pg' },
  gateway: {},
}
