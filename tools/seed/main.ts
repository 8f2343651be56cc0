import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { openDatabase } from '../../src/store/database.ts'
import { externalDatabase } from '../../src/store/external-database.ts'
import { migrate } from '../../src/store/migrations.ts'
import { startPostgres } from '../../src/store/postgres.ts'
import { seedCatalog } from './seed-catalog.ts'

const HELP = `npm run seed -- [options]: fills a registry's catalog with made-up programs
  --data DIR       data directory of a registry that does not run (default: build/seeded);
                   with DATABASE_URL set, the database that it names instead
  --programs N     default 20000
  --releases N     default ten for each program
  --seed N         another number makes another catalog (default 1)
What is made is found, shown and counted like what was published, but has no bytes and no signatures.
Serve it: npm run hookline -- serve --data build/seeded --new-admin-token`

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'build/seeded' },
    programs: { type: 'string', default: '20000' },
    releases: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
})
if (values.help === true) {
  console.log(HELP)
  process.exit()
}
const programs = Number(values.programs)
const releases = values.releases === undefined ? programs * 10 : Number(values.releases)
if (!Number.isInteger(programs) || programs < 1 || !Number.isInteger(releases) || releases < programs) {
  console.error(HELP)
  process.exit(2)
}
const url = process.env['DATABASE_URL']
const dataDir = resolve(values.data)
if (!url) mkdirSync(dataDir, { recursive: true, mode: 0o711 })
const systemDir = process.getuid?.() === 0 ? '/var/lib/hookline' : dataDir
const postgres = url
  ? { url: await externalDatabase(url), close: async () => {} }
  : await startPostgres(dataDir, systemDir)
try {
  await migrate(postgres.url, 'prisma/migrations')
  const database = openDatabase(postgres.url)
  const start = performance.now()
  await seedCatalog(database.prisma, {
    ...{ programs, releases, seed: Number(values.seed) },
    progress: (done) => process.stderr.write(`\r${done} of ${programs} programs`),
  })
  await database.close()
  const seconds = (performance.now() - start) / 1000
  process.stderr.write('\n')
  console.log(`${programs} programs with ${releases} releases in ${seconds.toFixed(1)} s`)
} finally {
  await postgres.close()
}
