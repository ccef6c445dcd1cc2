/** What of ts-mls the server may load: decoders of single fields. None of these modules holds, derives or uses a key (docs/adr/0004-decoders.md). */
const FRAMING_MODULES = 'codec/(number|tlsDecoder|variableLength)|contentType|protocolVersion|sender|wireformat'

/** Files that decode MLS which this server has accepted and stored, or has decoded before. */
const STORED_MLS_READERS = 'groups/(state/(stored-epochs|public-states|trees/tree-worker)|reset/commit-authors)\\.ts$'

/** Import layers, top to bottom: a module may import from its own layer and from those below it. */
const LAYERS = ['app', 'accounts', 'federation', 'groups', 'delivery', 'key-packages', 'tokens', 'authentication', 'platform', 'protocol']

const layerRules = LAYERS.slice(1).map((layer, index) => ({
  name: `${layer}-imports-point-down`,
  comment: `${layer}/ may not import from the layers above it: ${LAYERS.slice(0, index + 1).join(', ')}.`,
  severity: 'error',
  from: { path: `^src/${layer}/`, pathNot: '\\.test\\.ts$' },
  to: { path: `^src/(${LAYERS.slice(0, index + 1).join('|')})/` },
}))

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'no-unnamed-layer',
      comment: 'Every folder of src/ is one of the layers.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${LAYERS.join('|')}|generated)/` },
      to: {},
    },
    {
      name: 'entry-points-are-on-top',
      comment: 'main.ts and cli.ts import; nobody imports them.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/[^/]+\\.ts$' },
    },
    {
      name: 'protocol-is-pure',
      comment: 'protocol/ decides, as functions from values to values: no I/O, no Nest, no database. node:crypto computes, so it may.',
      severity: 'error',
      from: { path: '^src/protocol/', pathNot: '\\.test\\.ts$' },
      to: {
        pathNot:
          '^src/protocol/|^node_modules/(@cloudflare|@hpke|@noble|cborg|structured-headers|ts-mls|zod)/|^(node:)?(crypto|buffer|util)$',
      },
    },
    {
      name: 'ts-mls-in-one-file',
      comment: 'ts-mls reads framing beside our strict reader, in one file (docs/adr/0004-decoders.md).',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/protocol/mls/framing\\.ts$|\\.test\\.ts$' },
      to: { path: '(^|/)node_modules/ts-mls(-client)?/' },
    },
    {
      name: 'ts-mls-reads-framing-only',
      comment: 'The server takes nothing of ts-mls that could decrypt (docs/adr/0004-decoders.md).',
      severity: 'error',
      from: { path: '^src/protocol/mls/framing\\.ts$' },
      to: {
        path: '(^|/)node_modules/ts-mls(-client)?/',
        pathNot: `(^|/)node_modules/ts-mls/dist/src/(${FRAMING_MODULES})\\.(js|d\\.ts)$`,
      },
    },
    {
      name: 'what-comes-in-has-two-readers',
      comment: 'MLS that somebody sent is decoded by src/platform/http/incoming-message.ts. The strict reader alone reads what is stored.',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(protocol/|platform/http/incoming-message\\.ts$|${STORED_MLS_READERS})|\\.test\\.ts$` },
      to: {
        path: '^src/protocol/mls/(message|structures/(key-package|group-info|welcome|public-message|private-message))\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'prisma-for-cold-tables-only',
      comment: 'The generated client serves the Authentication Service; everything hot is SQL.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(generated|authentication|platform/postgres)/|^src/app/' },
      to: { path: '^src/generated/' },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$|^test/|^examples/' },
    },
    {
      name: 'nothing-undeclared',
      comment: 'What is imported stands in package.json; the product does not use development tools.',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'no-cycles', severity: 'error', from: { path: '^src/', pathNot: '^src/generated/' }, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules|^src/generated/' },
    exclude: { path: '^(dist|data)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
