import { describe, expect, it } from '@jest/globals'
import { typeErrors, type Manifest } from './manifests-fixture.js'

const deployment = (): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'x', namespace: 'y' },
  spec: {
    selector: { matchLabels: { app: 'x' } },
    template: {
      metadata: { labels: { app: 'x' } },
      spec: { containers: [{ name: 'x', image: 'x:1', resources: { limits: { cpu: '2' } } }] },
    },
  },
})
const monitor = (): Manifest => ({
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'ServiceMonitor',
  metadata: { name: 'x' },
  spec: { selector: { matchLabels: { app: 'x' } }, endpoints: [{ port: 'metrics', interval: '30s' }] },
})

const errorsOf = (object: Manifest, mutate: (object: Manifest) => unknown) => {
  mutate(object)
  return typeErrors([object]).map(({ error }) => error)
}

describe('the types of Kubernetes', () => {
  it('are met by objects as they should be', () => {
    expect(typeErrors([deployment(), monitor()])).toEqual([])
  })
  it.each<[string, (object: Manifest) => unknown, RegExp]>([
    ['an unknown field', (o) => (o.spec.template.spec.containers[0].resource = {}), /'"resource"' does not exist in type 'Container'/],
    ['an unknown field of the object itself', (o) => (o.status2 = {}), /'"status2"' does not exist in type 'Deployment'/],
    ['text for a number', (o) => (o.spec.replicas = '2'), /'string' is not assignable to type 'number'/],
    [
      'a number for a quantity',
      (o) => (o.spec.template.spec.containers[0].resources.limits.cpu = 2),
      /'number' is not assignable to type 'string'/,
    ],
    ['a number for a label', (o) => (o.metadata.labels = { version: 1 }), /'number' is not assignable to type 'string'/],
    ['an object for a list', (o) => (o.spec.template.spec.containers = {}), /Container\[\]/],
    ['a missing field', (o) => delete o.spec.template.spec.containers[0].name, /'name' is missing/],
    ['an empty value', (o) => (o.spec.template.spec.containers = null), /'null' is not assignable/],
    ['an API that is gone', (o) => (o.apiVersion = 'apps/v1beta1'), /Cannot find module/],
    ['a kind that is not of the API', (o) => (o.kind = 'Ingress'), /no exported member/],
  ])('refuse %s', (_name, mutate, expected) => {
    expect(errorsOf(deployment(), mutate).join('\n')).toMatch(expected)
  })
  it.each<[string, (object: Manifest) => unknown, RegExp]>([
    ['an unknown field', (o) => (o.spec.endpoints[0].targetport = 8080), /'"targetport"' does not exist/],
    ['a wrong type', (o) => (o.spec.endpoints[0].interval = 30), /'number' is not assignable/],
    ['an unknown kind', (o) => (o.kind = 'ServiceMonitors'), /no exported member/],
    ['another version', (o) => (o.apiVersion = 'monitoring.coreos.com/v2'), /not assignable to type '"monitoring.coreos.com\/v1"'/],
  ])('and ours of custom resources refuse %s', (_name, mutate, expected) => {
    expect(errorsOf(monitor(), mutate).join('\n')).toMatch(expected)
  })
  it('name the object that is at fault', () => {
    const [good, bad] = [monitor(), deployment()]
    bad.spec.replicas = '2'
    expect(typeErrors([good, bad, monitor()]).map(({ object }) => object)).toEqual([bad])
  })
  it('do not take the name of a kind for program text', () => {
    expect(() => typeErrors([{ ...deployment(), kind: 'X } from "x"; import { Y' }])).toThrow('is not the name of a kind')
  })
})
