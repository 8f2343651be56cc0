import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { preparePackages } from './host-packages.ts'
import { CHANNELS, type GuestCommand, initramfs, SHARE } from './initramfs.ts'
import type { KernelImage } from './kernel-image.ts'

/** Memory of the guest, its written files among it: vitest with two workers takes about 600 MiB. */
const MEMORY_MIB = 2048
/**
 * Processors of the guest; the tests run in two workers. The emulator takes turns between them in one thread: with one
 * thread each, a processor of 6.12 ran code that another was just rewriting (text_poke_bp), and the kernel panicked.
 */
const CPUS = Math.min(2, availableParallelism())
/** How long the file server may take until its socket is there; it took 20 ms. */
const SERVER_MS = 10_000
const POLL_MS = 20
/** They end the machine and remove its folder. After SIGKILL only the machine ends, by its parent-death signal. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/**
 * Kernel parameters. A panic ends the machine (it reboots, and -no-reboot). Equal addresses in every process and one page
 * table for kernel and user spare the emulator most of its work: a process starts in a quarter of the time. Neither
 * changes what the kernel does with BPF; the parameters that would (mitigations=) are left alone.
 */
const BOOT = 'console=ttyS0 panic=-1 norandmaps nopti'
/** Lines of the kernel's log that a failure shows. */
const LOG_LINES = 30

/** What a run asks for. */
export interface VmRequest extends GuestCommand {
  readonly kernel: KernelImage
  /** The machine is ended and the run fails when it takes longer. Milliseconds. */
  readonly timeout_ms: number
  /** Where the command's output goes, as it comes. */
  readonly output: NodeJS.WritableStream
}

/** What came of it. */
export interface VmResult {
  /** The command's exit code; 128 and the signal's number when a signal ended it. */
  readonly exitCode: number
  /** The collected file, undefined when it was not asked for or is not there. */
  readonly collected: Buffer | undefined
  /** What the kernel logged, from boot to poweroff. */
  readonly log: string
}

/**
 * Boots a kernel in a virtual machine on the host's files, runs one command there and gives what came of it. The guest
 * sees the host's root file system and can write to none of it: the share is read-only on the host's side, and what the
 * guest writes goes to its memory. It has no network. By software emulation, so that it runs where /dev/kvm does not.
 * Throws when the guest ends without a result (a panic, the time is up), with the end of the kernel's log.
 */
export async function runInVm(request: VmRequest): Promise<VmResult> {
  const server = preparePackages()
  const work = mkdtempSync(join(tmpdir(), 'hookline-vm-'))
  const children: ChildProcess[] = []
  const end = (): void => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(work, { recursive: true, force: true })
  }
  const endAndDie = (signal: NodeJS.Signals): void => {
    end()
    process.off(signal, endAndDie)
    process.kill(process.pid, signal)
  }
  for (const signal of SIGNALS) process.on(signal, endAndDie)
  try {
    writeFileSync(join(work, 'initrd'), initramfs(request.kernel, request))
    children.push(await shareRoot(server, work, [request.cwd, request.kernel.modules]))
    const machine = startMachine(work, request.kernel)
    children.push(machine)
    await watch(machine, request)
    return readResult(work, request)
  } finally {
    for (const signal of SIGNALS) process.off(signal, endAndDie)
    end()
  }
}

/** A child that dies with this process, whatever ends it, and leaves the processors to others. */
const tied = (command: readonly string[], stdio: ('ignore' | 'pipe' | 'inherit')[]): ChildProcess =>
  spawn('setpriv', ['--pdeathsig', 'KILL', 'nice', '-n', '10', ...command], { stdio })

/**
 * Serves the host's root to the guest, read-only: in a mount namespace of its own, each file system that the guest needs
 * is bound below `work` once more and made read-only there. Other file systems (/proc, /sys, other disks) stay out.
 */
async function shareRoot(server: string, work: string, paths: readonly string[]): Promise<ChildProcess> {
  const points = ['/', '/usr', ...paths].map((path) =>
    execFileSync('stat', ['-c', '%m', path], { encoding: 'utf8' }).trim(),
  )
  const socket = join(work, 'files.sock')
  const source = join(work, 'share')
  mkdirSync(source)
  const script = `set -e
for point in "$@"; do mount --bind "$point" "${source}$point"; mount -o remount,bind,ro "${source}$point"; done
exec ${serverCommand(server, socket, source)}`
  const mounts = [...new Set(points)].sort() // a file system before what is mounted in it
  const child = tied(['unshare', '--mount', 'sh', '-c', script, '-', ...mounts], ['ignore', 'ignore', 'pipe'])
  let said = ''
  child.stderr?.on('data', (text) => {
    said += text
  })
  for (let waited = 0; !existsSync(socket); waited += POLL_MS) {
    if (child.exitCode !== null || waited > SERVER_MS) throw new Error(`virtiofsd did not start: ${said}`)
    await delay(POLL_MS)
  }
  return child
}

/** The server of QEMU 7.2 takes libfuse's options, its successor long ones. Nothing else changes the files: cache them. */
const serverCommand = (server: string, socket: string, source: string): string =>
  server === '/usr/lib/qemu/virtiofsd'
    ? `${server} --socket-path=${socket} -o source=${source},cache=always,sandbox=chroot`
    : `${server} --socket-path=${socket} --shared-dir=${source} --cache=always --sandbox=chroot`

function startMachine(work: string, kernel: KernelImage): ChildProcess {
  const port = (name: string, chardev: string): string[] => [
    ...['-chardev', chardev],
    ...['-device', `virtserialport,chardev=${name.replace('hookline.', '')},name=${name}`],
  ]
  const command = [
    ...['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-accel', 'tcg,thread=single', '-cpu', 'max', '-smp', `${CPUS}`],
    ...['-m', `${MEMORY_MIB}`, '-object', `memory-backend-memfd,id=memory,size=${MEMORY_MIB}M,share=on`],
    ...['-numa', 'node,memdev=memory'], // memory that the file server shares
    ...['-chardev', `socket,id=files,path=${join(work, 'files.sock')}`],
    ...['-device', `vhost-user-fs-pci,chardev=files,tag=${SHARE}`],
    ...['-device', 'virtio-serial-pci'],
    ...port(CHANNELS.output, 'stdio,id=output,signal=off'),
    ...port(CHANNELS.result, `file,id=result,path=${join(work, 'result')}`),
    ...['-serial', `file:${join(work, 'log')}`],
    ...['-kernel', kernel.vmlinuz, '-initrd', join(work, 'initrd')],
    ...['-append', BOOT],
  ]
  // standard input stays open: at its end the guest's channel would be closed
  return tied(command, ['pipe', 'pipe', 'inherit'])
}

/** Passes on what the command prints until the machine ends. Throws when the time is up. */
async function watch(machine: ChildProcess, { output, timeout_ms }: VmRequest): Promise<void> {
  machine.stdout?.pipe(output, { end: false })
  let late = false
  const timer = setTimeout(() => {
    late = true
    machine.kill('SIGKILL')
  }, timeout_ms)
  await once(machine, 'close')
  clearTimeout(timer)
  if (late) throw new Error(`the command in the virtual machine took more than ${timeout_ms / 1000} s`)
}

function readResult(work: string, { collect }: VmRequest): VmResult {
  const log = readFileSync(join(work, 'log'), 'utf8')
  const result = readFileSync(join(work, 'result'))
  const end = result.indexOf('\n')
  if (end < 0) {
    const last = log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')
    throw new Error(`the virtual machine ended without a result; the end of its kernel's log:\n${last}`)
  }
  const collected = result.subarray(end + 1)
  return {
    exitCode: Number(result.subarray(0, end).toString()),
    collected: collect === undefined || collected.length === 0 ? undefined : collected,
    log,
  }
}
