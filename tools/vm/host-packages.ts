import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Debian packages that a virtual machine needs on the host, by a file that each brings. */
const PACKAGES = {
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  'busybox-static': '/bin/busybox',
  kmod: '/sbin/depmod',
  'debian-archive-keyring': '/usr/share/keyrings/debian-archive-keyring.gpg',
}
/** The file server of virtio-fs: of QEMU itself up to 7.2 (Debian 12), a package `virtiofsd` after that. */
const SERVERS = ['/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd'] as const

/**
 * Installs what a virtual machine needs, once, and gives the path of the virtio-fs server. Throws when this is no x86-64
 * Linux host, the user is not root, or apt-get fails.
 */
export function preparePackages(): (typeof SERVERS)[number] {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `the virtual machine needs an x86-64 Linux host, this is ${process.platform} ${process.arch}`,
    )
  if (process.getuid?.() !== 0)
    throw new Error('the virtual machine needs root: it shares the root file system; run it with sudo')
  install(Object.entries(PACKAGES).flatMap(([name, file]) => (existsSync(file) ? [] : [name])))
  if (!SERVERS.some((path) => existsSync(path))) install(['virtiofsd'])
  const server = SERVERS.find((path) => existsSync(path))
  if (server === undefined) throw new Error(`no virtiofsd at ${SERVERS.join(' or ')}`)
  return server
}

function install(names: readonly string[]): void {
  if (names.length === 0) return
  process.stderr.write(`vm: apt-get install ${names.join(' ')}\n`)
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...names]]) {
    const run = spawnSync('apt-get', [...args, '-qq'], {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
    if (run.status !== 0)
      throw new Error(`apt-get ${args.join(' ')} failed: ${run.stderr || run.error?.message}`)
  }
}
