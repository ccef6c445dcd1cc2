/**
 * The custom resources that k8s/ uses, as far as it uses them, and strictly: another field has to be looked up in the operator's
 * reference and added here. CloudNativePG 1.30, Prometheus operator, cert-manager 1, Gateway API 1.
 */
import type { ResourceRequirements, TopologySpreadConstraint } from 'kubernetes-types/core/v1.js'
import type { DeploymentStrategy } from 'kubernetes-types/apps/v1.js'
import type { LabelSelector, ObjectMeta } from 'kubernetes-types/meta/v1.js'

interface Resource<Group extends string, Kind extends string, Spec> {
  apiVersion: Group
  kind: Kind
  metadata: ObjectMeta
  spec: Spec
}

export type Cluster = Resource<
  'postgresql.cnpg.io/v1',
  'Cluster',
  {
    instances: number
    imageName: string
    primaryUpdateStrategy?: 'unsupervised' | 'supervised'
    primaryUpdateMethod?: 'switchover' | 'restart'
    enableSuperuserAccess?: boolean
    bootstrap: { initdb: { database: string; owner: string; secret?: { name: string }; dataChecksums?: boolean } }
    postgresql: {
      synchronous?: { method: 'any' | 'first'; number: number; dataDurability?: 'required' | 'preferred'; failoverQuorum?: boolean }
      parameters?: Record<string, string>
    }
    certificates?: { serverAltDNSNames?: string[] }
    storage: { size: string; storageClass?: string }
    walStorage?: { size: string; storageClass?: string }
    resources: ResourceRequirements
    affinity?: { enablePodAntiAffinity?: boolean; topologyKey?: string; podAntiAffinityType?: 'preferred' | 'required' }
    topologySpreadConstraints?: TopologySpreadConstraint[]
  }
>

export type Pooler = Resource<
  'postgresql.cnpg.io/v1',
  'Pooler',
  {
    cluster: { name: string }
    type: 'rw' | 'ro' | 'r'
    instances: number
    pgbouncer: { poolMode: 'session' | 'transaction'; parameters?: Record<string, string> }
    deploymentStrategy?: DeploymentStrategy
    template?: {
      metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
      spec: {
        topologySpreadConstraints?: TopologySpreadConstraint[]
        containers: { name: 'pgbouncer'; resources: ResourceRequirements }[]
      }
    }
  }
>

interface Relabeling {
  sourceLabels?: string[]
  targetLabel?: string
  regex?: string
  replacement?: string
  action?: 'replace' | 'keep' | 'drop' | 'labelmap' | 'labeldrop' | 'labelkeep'
}

interface Endpoint {
  port: string
  path?: string
  interval?: string
  scrapeTimeout?: string
  relabelings?: Relabeling[]
  metricRelabelings?: Relabeling[]
}

export type ServiceMonitor = Resource<
  'monitoring.coreos.com/v1',
  'ServiceMonitor',
  { jobLabel?: string; selector: LabelSelector; endpoints: Endpoint[] }
>

export type PodMonitor = Resource<
  'monitoring.coreos.com/v1',
  'PodMonitor',
  { jobLabel?: string; selector: LabelSelector; podMetricsEndpoints: Endpoint[] }
>

export type PrometheusRule = Resource<
  'monitoring.coreos.com/v1',
  'PrometheusRule',
  {
    groups: {
      name: string
      interval?: string
      rules: {
        alert?: string
        record?: string
        expr: string
        for?: string
        keep_firing_for?: string
        labels?: Record<string, string>
        annotations?: Record<string, string>
      }[]
    }[]
  }
>

export type Issuer = Resource<
  'cert-manager.io/v1',
  'Issuer',
  {
    acme: {
      server: string
      email: string
      privateKeySecretRef: { name: string }
      solvers: { http01: { ingress: { ingressClassName: string } } }[]
    }
  }
>

export type Certificate = Resource<
  'cert-manager.io/v1',
  'Certificate',
  {
    secretName: string
    dnsNames: string[]
    issuerRef: { group: 'cert-manager.io'; kind: 'Issuer' | 'ClusterIssuer'; name: string }
    privateKey?: { algorithm: 'ECDSA' | 'RSA' | 'Ed25519'; size?: number; rotationPolicy?: 'Always' | 'Never' }
  }
>

export type HTTPRoute = Resource<
  'gateway.networking.k8s.io/v1',
  'HTTPRoute',
  {
    parentRefs: { name: string; namespace?: string; sectionName?: string }[]
    hostnames: string[]
    rules: {
      matches: { path: { type: 'PathPrefix' | 'Exact'; value: string } }[]
      timeouts?: { request?: string; backendRequest?: string }
      backendRefs: { name: string; port: number }[]
    }[]
  }
>
