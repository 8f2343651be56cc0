import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packCpio } from './cpio.ts'
import type { KernelImage } from './kernel-image.ts'
import { moduleFiles } from './modules.ts'

/** What the first root needs before the host's files are there. */
const MODULES = ['virtio_pci', 'virtio_console', 'virtiofs', 'overlay']
/** Names of the channels between guest and host: what the command prints, and its exit code and collected file. */
export const CHANNELS = { output: 'hookline.output', result: 'hookline.result' } as const
/** The tag under which the host's root is shared. */
export const SHARE = 'host'

/** What the guest does. */
export interface GuestCommand {
  /** Program and arguments, run without a shell. */
  readonly command: readonly string[]
  /** Working folder, as on the host. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Modules of the guest's kernel that are loaded before the command, with what they need. */
  readonly load?: readonly string[]
  /** A file of the guest that is handed back after the command. */
  readonly collect?: string
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/**
 * First stage: loads modules, lays a memory file system over the host's root (overlayfs), so that everything can be
 * written and nothing reaches the host, and goes there. Process 1 itself must go: the kernel's modprobe follows its root.
 */
const firstStage = (modules: string, boot: string): string => `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module" || echo "cannot load $module" >/dev/kmsg; done </modules/order
mount -t virtiofs -o ro ${SHARE} /host
mount -t tmpfs -o mode=755 written /written
mkdir /written/upper /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/upper,workdir=/written/work root /root
mount -t tmpfs -o mode=755 run /root/run
mkdir -p /root/run/guest /root/run/lock /root/usr/lib/modules /root/boot
mount --bind /host${modules} /root/usr/lib/modules
mount --bind /host${boot} /root/boot
cp /bin/busybox /guest/* /root/run/guest/
mount --move /dev /root/dev
exec switch_root /root /run/guest/busybox sh /run/guest/second
`

/** Second stage, in the host's files: mounts what a machine has, runs the command, hands the result over, powers off. */
const secondStage = ({ load = [], collect }: GuestCommand): string => `
b=/run/guest/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mkdir -p /dev/pts /dev/shm
$b mount -t devpts -o ptmxmode=666 pts /dev/pts
$b mount -t tmpfs -o mode=1777 shm /dev/shm
$b mount -t cgroup2 cgroup /sys/fs/cgroup
$b mount -t bpf bpf /sys/fs/bpf
$b mount -t securityfs security /sys/kernel/security
$b ifconfig lo up
${load.map((name) => `/sbin/modprobe ${quoted(name)} || exit 1\n`).join('')}for port in /sys/class/virtio-ports/*; do
  case "$($b cat "$port/name")" in
    ${CHANNELS.output}) output=/dev/\${port##*/} ;;
    ${CHANNELS.result}) result=/dev/\${port##*/} ;;
  esac
done
# one descriptor for the whole run: a port can be opened only once at a time
$b sh /run/guest/command </dev/null >"$output" 2>&1
code=$?
{ echo "$code"; ${collect === undefined ? ':' : `$b cat ${quoted(collect)}`}; } >"$result"
$b poweroff -f
`

/** The guest's command as a script for a shell: working folder, a clean environment, the program in the shell's place. */
export function commandScript({ command, cwd, env }: GuestCommand): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`)
  return `cd ${quoted(cwd)} || exit 127\nexec env -i ${[...settings, ...command.map(quoted)].join(' ')}\n`
}

/** Packs the guest's first root file system: a shell (Debian's busybox-static), the modules and the scripts. */
export function initramfs({ modules, release, vmlinuz }: KernelImage, guest: GuestCommand): Buffer {
  const folder = join(modules, release)
  const files = moduleFiles(readFileSync(join(folder, 'modules.dep'), 'utf8'), MODULES)
  return packCpio(
    [
      { path: 'init', content: firstStage(modules, dirname(vmlinuz)), executable: true },
      { path: 'bin/busybox', content: readFileSync('/bin/busybox'), executable: true },
      { path: 'guest/second', content: secondStage(guest) },
      { path: 'guest/command', content: commandScript(guest) },
      { path: 'modules/order', content: files.map((file) => `${basename(file)}\n`).join('') },
      ...files.map((file) => ({
        path: `modules/${basename(file)}`,
        content: readFileSync(join(folder, file)),
      })),
    ],
    ['dev', 'host', 'written', 'root'],
  )
}
