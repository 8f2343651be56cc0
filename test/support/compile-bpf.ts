import { spawnSync } from 'node:child_process'

/** How {@link compileBpf} compiles. */
export interface CompileOptions {
  /** Macros by name: `{ RATE: 5 }` is `-DRATE=5`. */
  readonly defines?: Readonly<Record<string, string | number>>
  /** `bpf` is the byte order of this machine; `bpfeb` makes a big-endian object. Default `bpfel`. */
  readonly target?: 'bpf' | 'bpfel' | 'bpfeb'
  /** Without debug information (`-g`) there is no BTF. Default true. */
  readonly debug?: boolean
  /** Further arguments of clang. */
  readonly flags?: readonly string[]
}

const MACHINE = { x64: 'x86_64', arm64: 'aarch64', riscv64: 'riscv64' } as const

/**
 * Compiles BPF C and gives the object's bytes. `source` is the path of a `.c` file, or C text when it has a line break.
 * Throws with clang's output when clang is missing or refuses: a test that needs an object then fails, it is not skipped.
 */
export function compileBpf(source: string, options: CompileOptions = {}): Buffer {
  const inline = source.includes('\n')
  const machine = Object.entries(MACHINE).find(([arch]) => arch === process.arch)?.[1] ?? process.arch
  const args = [
    '-O2',
    ...(options.debug === false ? [] : ['-g']),
    '-target',
    options.target ?? 'bpfel',
    '-Wall',
    '-Werror',
    `-I/usr/include/${machine}-linux-gnu`,
    ...Object.entries(options.defines ?? {}).map(([name, value]) => `-D${name}=${value}`),
    ...(options.flags ?? []),
    ...['-x', 'c', '-c', inline ? '-' : source, '-o', '-'],
  ]
  const run = spawnSync('clang', args, { maxBuffer: 64 << 20, ...(inline ? { input: source } : {}) })
  if (run.error) throw new Error(`clang cannot be run: ${run.error.message}; install clang and libbpf-dev`)
  if (run.status !== 0) throw new Error(`clang ${args.join(' ')} failed:\n${run.stderr}`)
  return run.stdout
}
