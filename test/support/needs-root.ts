import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'vitest'

/** Capabilities by number (linux/capability.h): namespaces and BPF need both. */
const NEEDED = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n }

/** What decides whether tests may use the kernel. */
export interface KernelFacts {
  readonly uid: number
  /** The text of /proc/self/status. */
  readonly status: string
  /** Whether the kernel describes its types (/sys/kernel/btf/vmlinux). */
  readonly btf: boolean
  /** Whether there is a place for a BPF file system (/sys/fs/bpf). */
  readonly bpffs: boolean
}

/** Why these facts rule out kernel tests, or undefined when they do not. */
export function whyNoKernel({ uid, status, btf, bpffs }: KernelFacts): string | undefined {
  if (uid !== 0) return `needs root, runs as uid ${uid}`
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  for (const [name, bit] of Object.entries(NEEDED))
    if (((effective >> bit) & 1n) === 0n) return `needs ${name}, which this root does not have`
  if (!btf) return 'needs a kernel with BTF: /sys/kernel/btf/vmlinux is missing'
  if (!bpffs) return 'needs a kernel with BPF: /sys/fs/bpf is missing'
  return undefined
}

/**
 * A vitest suite that uses the kernel. Where it cannot run it is listed as skipped, with the reason in its name; where
 * it should have run (CI is set) it is one failing test that says why.
 */
export function describeAsRoot(name: string, suite: () => void): void {
  const why = whyNoKernel({
    uid: process.getuid?.() ?? -1,
    status: readFileSync('/proc/self/status', 'utf8'),
    btf: existsSync('/sys/kernel/btf/vmlinux'),
    bpffs: existsSync('/sys/fs/bpf'),
  })
  if (why === undefined) describe(name, suite)
  else if (process.env['CI'] === undefined || process.env['CI'] === '') {
    console.warn(`skipped: ${name}: ${why}`) // the short reporter counts what is skipped, but does not name it
    describe.skip(`${name} (skipped: ${why})`, suite)
  } else
    test(`${name} (must run in CI)`, () => {
      throw new Error(`kernel tests must run in CI, but: ${why}`)
    })
}
