/** Import layers, top to bottom: a module may import from its own layer and from those below it. */
const LAYERS = ['app', 'federation', 'groups', 'delivery', 'key-packages', 'tokens', 'authentication', 'platform', 'protocol']

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
        pathNot: '^src/protocol/|^node_modules/(@cloudflare|@hpke|@noble|cborg|structured-headers|zod)/|^(node:)?(crypto|buffer|util)$',
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
