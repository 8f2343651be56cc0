// Brings a fresh machine to where every other script can run. Plain JavaScript on purpose: it is the one file that the
// machine's own, perhaps old, Node runs (>= 18); everything after it runs on the Node 24 in node_modules/.bin. Silent
// when there is nothing to do. With --tests it installs what only tests need, too.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
/**
 * Debian packages: what builds BPF and the traffic tool, what loads BPF, what makes namespaces, and programs of others
 * for tests.
 */
const APT = ['clang', 'libbpf-dev', 'libbpf1', 'libc6-dev', 'iproute2', 'xdp-tools']
/** The same for tests: a real S3 server, a real browser. */
const APT_TESTS = ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common', 'chromium']
const NODE_MAJOR = 24

const say = (line) => process.stderr.write(`setup: ${line}\n`)
const fail = (line) => {
  say(line)
  process.exit(1)
}
const hashOf = (files) => {
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex')
}
/** Runs `work` unless the stamp says that it ran for these same inputs and its output is there. */
const once = (name, inputs, output, work) => {
  const stamp = `node_modules/.cache/hookline/${name}`
  const want = hashOf(inputs)
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === want) return
  work()
  mkdirSync('node_modules/.cache/hookline', { recursive: true })
  writeFileSync(stamp, want)
}
const run = (command, args, env = {}) => {
  // npm's own variables (npm_config_*, npm_package_*) stay: they carry --silent and the registry
  const done = spawnSync(command, args, { stdio: ['ignore', 2, 2], env: { ...process.env, ...env } })
  if (done.status !== 0)
    fail(`\`${[command, ...args].join(' ')}\` failed (${done.status ?? done.error?.code}); see above`)
}
const installed = (name) =>
  spawnSync('dpkg-query', ['-W', '-f=$' + '{db:Status-Status}', name], { encoding: 'utf8' }).stdout ===
  'installed'

if (process.platform !== 'linux') fail('needs Linux')
if (spawnSync('dpkg-query', ['--version']).error)
  fail(`needs Debian or Ubuntu; elsewhere install what provides: ${APT.join(' ')}`)
const wanted = process.argv.includes('--tests') ? [...APT, ...APT_TESTS] : APT
const missing = wanted.filter((name) => !installed(name))
if (missing.length > 0) {
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid() !== 0) fail(`Debian packages are missing; run: sudo ${command}`)
  say(command)
  run('sh', ['-c', `apt-get update -qq && DEBIAN_FRONTEND=noninteractive ${command} -qq`])
}
once('npm', ['package-lock.json', '.npmrc'], 'node_modules/.bin/node', () => {
  say('npm ci')
  // npm itself must run on Node 24: an older one skips native packages whose `engines` exclude it
  const early = mkdtempSync(`${tmpdir()}/hookline-node-`)
  try {
    const version = JSON.parse(readFileSync('package.json', 'utf8')).devDependencies.node
    if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR) {
      const node = `node-linux-${process.arch}@${version}`
      run('npm', ['install', '--prefix', early, '--no-save', '--ignore-scripts', node])
    }
    run('npm', ['ci', '--ignore-scripts=false'], { PATH: `${early}/node_modules/.bin:${process.env.PATH}` })
  } finally {
    rmSync(early, { recursive: true, force: true })
  }
})
const version = execFileSync('node_modules/.bin/node', ['-p', 'process.versions.node'], { encoding: 'utf8' })
if (Number.parseInt(version, 10) < NODE_MAJOR)
  fail(`node_modules/.bin/node is ${version.trim()}, not ${NODE_MAJOR}: remove node_modules and run again`)
once('prisma', ['prisma/schema.prisma', 'package-lock.json'], 'src/store/generated/client.ts', () => {
  say('prisma generate')
  run('node_modules/.bin/node', ['node_modules/prisma/build/index.js', 'generate'], {
    PRISMA_SCHEMA_ENGINE_BINARY: '/bin/false',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
  })
})
