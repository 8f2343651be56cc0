import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

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

/** Where Debian keeps the headers of an architecture (asm/types.h), by Node's name of it. */
const MULTIARCH: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
}

/**
 * Compiles BPF C and gives the object's bytes. `source` is the path of a `.c` file, or C text when it has a line break.
 * The bytes depend on the source and the compiler alone: clang runs in the source's folder and is told a relative
 * compilation directory, so no path of the building machine gets into the debug information.
 * Throws with clang's output when clang is missing or refuses: a test that needs an object then fails, it is not skipped.
 */
export function compileBpf(source: string, options: CompileOptions = {}): Buffer {
  const inline = source.includes('\n')
  const args = [
    '-O2',
    ...(options.debug === false ? [] : ['-g', '-fdebug-compilation-dir=.']),
    ...['-target', options.target ?? 'bpfel', '-Wall', '-Werror'],
    `-I/usr/include/${MULTIARCH[process.arch] ?? process.arch}`,
    ...Object.entries(options.defines ?? {}).map(([name, value]) => `-D${name}=${value}`),
    ...(options.flags ?? []),
    ...['-x', 'c', '-c', inline ? '-' : basename(source), '-o', '-'],
  ]
  return kept(source, args, () => compile(source, args))
}

function compile(source: string, args: readonly string[]): Buffer {
  const inline = source.includes('\n')
  const run = spawnSync('clang', args, {
    maxBuffer: 64 << 20,
    ...(inline ? { input: source } : { cwd: dirname(source) }),
  })
  if (run.error) throw new Error(`clang cannot be run: ${run.error.message}; install clang and libbpf-dev`)
  if (run.status !== 0) throw new Error(`clang ${args.join(' ')} failed:\n${run.stderr}`)
  return run.stdout
}

/**
 * An object that was compiled before, of the folder that HOOKLINE_BPF_OBJECTS names, or a new one, which is put there.
 * Known by source path, or text, and arguments alone: the folder is for one run, in which no source changes, on several
 * kernels (tools/vm/test-kernels.ts). A compiler is slow under emulation.
 */
function kept(source: string, args: readonly string[], make: () => Buffer): Buffer {
  const folder = process.env['HOOKLINE_BPF_OBJECTS']
  if (folder === undefined || folder === '') return make()
  const key = createHash('sha256').update(JSON.stringify([source, args]))
  const file = join(folder, `${key.digest('hex')}.o`)
  if (existsSync(file)) return readFileSync(file)
  const object = make()
  mkdirSync(folder, { recursive: true })
  const whole = `${file}.${process.pid}`
  writeFileSync(whole, object)
  renameSync(whole, file) // another worker may want it now: it finds all of it or nothing
  return object
}
