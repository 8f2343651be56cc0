import { spawnSync } from 'node:child_process'

/**
 * Violations of the floors in `folder`, a line each. Throws when dependency-cruiser read no TypeScript module or no
 * import: a parser that does not know this TypeScript reads nothing and would find nothing.
 */
export function checkFloors(folder: string): string[] {
  const run = spawnSync(
    'node_modules/.bin/depcruise',
    ['--config', 'floors.cjs', '--output-type', 'json', folder],
    { encoding: 'utf8', maxBuffer: 64 << 20 },
  )
  if (!run.stdout) throw new Error(`dependency-cruiser failed: ${run.stderr}`)
  const { modules, summary } = JSON.parse(run.stdout) as {
    modules: { source: string; dependencies: unknown[] }[]
    summary: { violations: { from: string; to: string; rule: { name: string } }[] }
  }
  const read = modules.filter((module) => module.source.startsWith(folder) && module.source.endsWith('.ts'))
  const edges = read.reduce((sum, module) => sum + module.dependencies.length, 0)
  if (read.length === 0 || edges === 0)
    throw new Error(
      `dependency-cruiser read ${read.length} modules and ${edges} imports in ${folder}: does it know this TypeScript?`,
    )
  return summary.violations.map((violation) => `${violation.rule.name}: ${violation.from} -> ${violation.to}`)
}

if (import.meta.main) {
  const found = checkFloors('src')
  for (const line of found) console.error(line)
  if (found.length > 0) process.exitCode = 1
}
