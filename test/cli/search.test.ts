import { afterAll, beforeAll, expect, test } from 'vitest'
import { seedCatalog } from '../../tools/seed/seed-catalog.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { hookline, scratch } from './hookline.ts'

const folder = await scratch()
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  await seedCatalog(registry.database.prisma, { programs: 60, releases: 120, seed: 3 })
})
afterAll(() => registry.close())
const run = (...argv: string[]) => hookline(folder, argv, { HOOKLINE_URL: registry.url })

test('search shows a table, how many there are, and what divides them', async () => {
  const { stdout, code } = await run('search', 'edge', '--hook', 'xdp', 'tc-ingress', '--limit', '3')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^program +latest +hooks +license +downloads +summary\n/)
  expect(stdout).toMatch(/\n--license|\n {2}--license/)
})
test('pages follow each other, and errors in words are forgiven', async () => {
  const first = JSON.parse((await run('search', '--sort', 'name', '--limit', '40', '--json')).stdout)
  const second = JSON.parse(
    (await run('search', '--sort', 'name', '--limit', '40', '--cursor', first.next, '--json')).stdout,
  )
  expect([first.programs.length, second.programs.length, second.next]).toEqual([40, 20, undefined])
  const names = [...first.programs, ...second.programs].map(({ program }: { program: string }) => program)
  expect(names).toEqual([...new Set(names)].sort())
  expect((await run('search', 'fierwall')).stdout).toMatch(/^nothing is spelt like this/)
  expect((await run('search', 'zzzzqqqq')).stdout).toBe('nothing found\n')
})
test.each([
  ['--limit', '101'],
  ['--hook', 'kprobe'],
  ['--kernel', 'new'],
  ['--sort', 'size'],
])('%s %s is refused', async (...flags) => {
  expect(await run('search', 'x', ...flags)).toMatchObject({ code: 2 })
})
