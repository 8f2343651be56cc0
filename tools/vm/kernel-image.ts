import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { preparePackages } from './host-packages.ts'

/** Kernels by series, with the Debian release that has it as its stock kernel. */
export const KERNELS = { '6.1': 'bookworm', '6.12': 'trixie' } as const
/** A series of kernels, such as `6.1`. */
export type KernelSeries = keyof typeof KERNELS

/** Debian's small kernel for virtual machines: a package that names the newest one of the release. */
const PACKAGE = 'linux-image-cloud-amd64'
const MIRROR = 'http://deb.debian.org'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const NODE_MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))
/** By its real path, which the guest can follow wherever node_modules may be a link to. */
const cacheFolder = (): string => join(realpathSync(NODE_MODULES), '.cache/hookline/kernels')

/** An unpacked kernel. */
export interface KernelImage {
  readonly series: KernelSeries
  /** As `uname -r` says it. */
  readonly release: string
  /** The compressed kernel (bzImage). */
  readonly vmlinuz: string
  /** The folder that belongs at /lib/modules: it holds one folder, named by the release. */
  readonly modules: string
}

/** Whether `text` names a series that can be fetched. */
export const isKernelSeries = (text: string): text is KernelSeries => Object.hasOwn(KERNELS, text)

/** Runs a command and gives what it printed. Throws with what it said on failure. */
function run(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20 })
  if (done.status !== 0)
    throw new Error(`\`${[command, ...args].join(' ')}\` failed: ${done.stderr || done.error?.message}`)
  return done.stdout
}

/**
 * The newest kernel of a series from Debian's mirror, downloaded and checked by apt (Debian's signatures) and unpacked
 * once; later calls give the same until `fresh`. The host's own package sources are neither read nor changed, and
 * no kernel is installed. Throws when the mirror does not answer, or as `preparePackages` does.
 */
export function kernelImage(series: KernelSeries, { fresh = false } = {}): KernelImage {
  const cache = cacheFolder()
  const kept = join(cache, series)
  if (fresh) rmSync(kept, { recursive: true, force: true })
  if (!existsSync(kept)) {
    preparePackages() // depmod
    mkdirSync(cache, { recursive: true })
    const work = mkdtempSync(join(cache, '.fetch-'))
    try {
      renameSync(unpack(fetchPackage(KERNELS[series], work), work), kept)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  }
  const modules = join(kept, 'lib/modules')
  const [release, ...others] = readdirSync(modules)
  if (release === undefined || others.length > 0)
    throw new Error(`${modules} holds not one kernel: remove it`)
  return { series, release, modules, vmlinuz: join(kept, 'boot', `vmlinuz-${release}`) }
}

/** Downloads the kernel of a Debian release into `work` with an apt of its own (Dir options, apt.conf(5)). Gives the file. */
function fetchPackage(suite: string, work: string): string {
  process.stderr.write(`vm: fetching ${PACKAGE} of ${suite}\n`)
  const sources = [`${MIRROR}/debian ${suite}`, `${MIRROR}/debian-security ${suite}-security`]
  const lines = sources.map((source) => `deb [signed-by=${KEYRING}] ${source} main\n`)
  writeFileSync(join(work, 'sources.list'), lines.join(''))
  for (const folder of ['lists/partial', 'cache/archives/partial', 'deb'])
    mkdirSync(join(work, folder), { recursive: true })
  const own = Object.entries({
    'Dir::Etc::sourcelist': join(work, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(work, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(work, 'cache'),
    'APT::Architecture': 'amd64',
    'APT::Sandbox::User': 'root', // the user _apt cannot reach a checkout under /root
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  run('apt-get', ...own, '-qq', 'update')
  const needs = run('apt-cache', ...own, 'depends', '--important', PACKAGE)
  const image = /Depends: (linux-image-\S+)/.exec(needs)?.[1]
  if (image === undefined) throw new Error(`${PACKAGE} of ${suite} names no kernel: ${needs}`)
  run(
    'sh',
    '-c',
    'cd "$1" && shift && exec "$@"',
    '-',
    join(work, 'deb'),
    'apt-get',
    ...own,
    'download',
    image,
  )
  const [file] = readdirSync(join(work, 'deb'))
  if (file === undefined) throw new Error(`apt-get download ${image} left no file`)
  return join(work, 'deb', file)
}

/** Unpacks a kernel package into a folder with boot/ and lib/modules/ and makes the index of its modules (modules.dep). */
function unpack(file: string, work: string): string {
  const out = join(work, 'unpacked')
  run('dpkg-deb', '-x', file, out)
  if (!existsSync(join(out, 'lib'))) renameSync(join(out, 'usr/lib'), join(out, 'lib')) // since Debian 13
  const [release] = readdirSync(join(out, 'lib/modules'))
  if (release === undefined) throw new Error(`${file} has no modules`)
  run('depmod', '-b', out, release)
  return out
}
