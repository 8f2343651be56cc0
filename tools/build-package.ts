import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const STAMP = join(ROOT, 'node_modules/.cache/hookline/package')
const MAIN = join(ROOT, 'dist/bin/hookline.js')

/** Compiles src/ into dist/ as the package ships it, unless that was done for these very sources. Gives the binary's path. */
export function buildPackage(): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).sort())
    if (statSync(join(ROOT, 'src', name)).isFile())
      hash.update(name).update(readFileSync(join(ROOT, 'src', name)))
  for (const name of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
    hash.update(readFileSync(join(ROOT, name)))
  const want = hash.digest('hex')
  if (existsSync(MAIN) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === want) return MAIN
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
  execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  })
  // what pages are made of beside code
  cpSync(join(ROOT, 'src/web/assets'), join(ROOT, 'dist/web/assets'), { recursive: true })
  mkdirSync(dirname(STAMP), { recursive: true })
  writeFileSync(STAMP, want)
  return MAIN
}

if (import.meta.main) buildPackage()
