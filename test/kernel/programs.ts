import type { ErrorCode } from '../../src/domain/errors.ts'

/** Where a test program is meant to run. */
export type TestHook = 'xdp' | 'tc-ingress'

/** What a program exercises, as far as chaining has to treat it with care. */
type Trait =
  | 'adjusts' // moves the packet's ends or makes room in it
  | 'array-of-its-own' // a PROG_ARRAY that somebody else may fill
  | 'atomics'
  | 'callbacks'
  | 'context' // writes fields of the context
  | 'core'
  | 'deep-stack' // 300 bytes or more
  | 'dynptr'
  | 'exits' // several exit instructions
  | 'frags' // made for packets of several buffers
  | 'global-functions'
  | 'implicit-exit' // legacy packet access may end the program
  | 'kfuncs'
  | 'large'
  | 'legacy-access'
  | 'loops'
  | 'many-maps'
  | 'map-in-map'
  | 'maps'
  | 'metadata' // before an XDP packet
  | 'opaque-maps' // maps that cannot be listed
  | 'redirects'
  | 'shared-object' // several entries, of both hooks
  | 'spin-lock'
  | 'stack'
  | 'subprograms'
  | 'tail-calls' // of its own, to programs of the same object
  | 'tail-calls-in-subprogram'
  | 'timer'
  | 'time-stamp'
  | 'unknown-verdicts'
  | 'unseen-context' // state in the context that BPF_PROG_TEST_RUN does not give back: VLAN tag, tc_index, kind of time
  | 'variables'
  | 'writes'

/** A program of test/kernel/sources. The same packets on fresh maps give the same verdicts, bytes and map contents. */
export interface TestProgram {
  /** The source's file name without `.bpf.c`. */
  readonly source: string
  readonly entry: string
  readonly hook: TestHook
  /** Further arguments of clang. */
  readonly flags?: readonly string[]
  /** Whether it takes XDP packets of several buffers. */
  readonly frags: boolean
  readonly traits: readonly Trait[]
}

/** An XDP program whose entry is called as its file, with `_` for `-`. */
const xdp = (source: string, traits: readonly Trait[], flags: readonly string[] = []): TestProgram => ({
  ...{ source, entry: source.replaceAll('-', '_'), hook: 'xdp', flags, traits },
  frags: traits.includes('frags'),
})
const tc = (source: string, traits: readonly Trait[]): TestProgram => ({
  ...{ source, entry: source.replaceAll('-', '_'), hook: 'tc-ingress', traits },
  frags: false,
})
const stack = (main: number, sub: number): string[] => [`-DDEEP=${main}`, `-DSUB=${sub}`]

/** Every program that loads by itself and that a chain should be able to hold. */
export const PROGRAMS: readonly TestProgram[] = [
  // verdicts, and how a program ends
  xdp('verdict', ['unknown-verdicts']),
  xdp('strange', ['unknown-verdicts', 'exits']),
  xdp('redirect', ['redirects', 'maps', 'opaque-maps']),
  xdp('exits', ['exits', 'unknown-verdicts']),
  xdp('leaves', ['exits', 'subprograms']),
  xdp('jumps', ['large']),
  xdp('unrolled', ['large']),
  xdp('parse', ['large']),
  // subprograms, callbacks and stack
  xdp('calls', ['subprograms', 'stack']),
  xdp('nested', ['subprograms', 'stack']),
  xdp('global', ['global-functions']),
  xdp('global-nested', ['global-functions', 'callbacks', 'subprograms']),
  xdp('loop', ['loops']),
  xdp('callback', ['callbacks', 'subprograms', 'loops']),
  xdp('each', ['callbacks', 'maps']),
  xdp('timer', ['callbacks', 'timer', 'maps']),
  xdp('depth', ['stack'], ['-DMAIN=256', '-DSUB=64']),
  xdp('stack', ['deep-stack', 'loops']),
  xdp('deep', ['deep-stack', 'subprograms', 'loops'], stack(304, 96)),
  xdp('deep', ['deep-stack', 'subprograms', 'loops'], stack(400, 96)),
  // tail calls
  xdp('jump', ['tail-calls', 'maps']),
  xdp('jump-fixed', ['tail-calls']),
  xdp('jump-sub-fixed', ['tail-calls', 'tail-calls-in-subprogram', 'subprograms']),
  xdp('jump-sub', ['tail-calls', 'tail-calls-in-subprogram', 'subprograms']),
  xdp('jump-empty', ['array-of-its-own']),
  xdp('cooperative', ['array-of-its-own', 'maps']),
  xdp('cooperative-silent', ['array-of-its-own']),
  // maps and variables
  xdp('maps', ['maps']),
  xdp('many-maps', ['maps', 'many-maps'], ['-DONE_LESS']),
  xdp('lock', ['maps', 'spin-lock']),
  xdp('lpm', ['maps']),
  xdp('percpu', ['maps']),
  xdp('queue', ['maps', 'opaque-maps']),
  xdp('bloom', ['maps', 'opaque-maps']),
  xdp('inner', ['maps', 'map-in-map']),
  xdp('ring', ['maps', 'opaque-maps']),
  xdp('globals', ['variables']),
  xdp('sections', ['variables']),
  xdp('atomics', ['variables', 'atomics'], ['-mcpu=v3']),
  xdp('kconfig', ['variables']),
  xdp('format', ['maps', 'variables']),
  // the packet
  xdp('rewrite', ['writes']),
  xdp('checksum', ['writes']),
  xdp('head', ['writes', 'adjusts']),
  xdp('tail', ['adjusts', 'redirects']),
  xdp('both-ends', ['writes', 'adjusts']),
  xdp('meta', ['adjusts', 'metadata']),
  xdp('buffers', ['frags', 'writes']),
  xdp('frags-tail', ['frags', 'adjusts']),
  // types and functions of the kernel
  xdp('core', ['core', 'unknown-verdicts']),
  xdp('kernel-context', ['core', 'kfuncs']),
  xdp('dynptr', ['kfuncs', 'dynptr', 'maps']),
  xdp('iterator', ['kfuncs', 'loops', 'variables']),
  // TC
  tc('tc-verdicts', ['unknown-verdicts']),
  tc('tc-direct', ['writes']),
  tc('tc-bytes', ['writes']),
  tc('tc-head', ['writes', 'adjusts']),
  tc('tc-tail', ['adjusts']),
  tc('tc-room', ['writes', 'adjusts']),
  tc('tc-vlan', ['adjusts', 'unseen-context']),
  tc('tc-fields', ['context']),
  tc('tc-index', ['context', 'unseen-context']),
  tc('tc-time', ['context', 'time-stamp', 'unseen-context']),
  tc('tc-stamp', ['context', 'time-stamp', 'unseen-context']),
  tc('tc-legacy', ['legacy-access', 'context']),
  tc('tc-legacy-short', ['legacy-access', 'implicit-exit', 'subprograms', 'variables']),
  tc('tc-redirect', ['redirects']),
  tc('tc-maps', ['maps', 'spin-lock', 'variables']),
  tc('tc-calls', ['subprograms', 'global-functions', 'callbacks', 'context']),
  tc('tc-deep', ['deep-stack', 'loops', 'context']),
  tc('tc-dynptr', ['kfuncs', 'dynptr', 'writes']),
  tc('tc-kernel', ['kfuncs', 'core', 'context']),
  tc('tc-jump', ['tail-calls', 'context']),
  tc('tc-cooperative', ['array-of-its-own', 'context']),
  // one object for both
  { ...xdp('both-hooks', ['shared-object', 'maps', 'variables']), entry: 'both_hooks_xdp' },
  { ...tc('both-hooks', ['shared-object', 'maps', 'variables', 'context']), entry: 'both_hooks_tc' },
]

/** A program that no chain can hold, and why: `loads` says whether it loads by itself. */
export interface UnchainableProgram extends TestProgram {
  readonly loads: boolean
  readonly code: ErrorCode
}

export const UNCHAINABLE: readonly UnchainableProgram[] = [
  { ...xdp('throws', ['kfuncs', 'subprograms']), loads: true, code: 'chain_exception' },
  {
    ...xdp('tree', ['kfuncs', 'callbacks', 'core', 'maps', 'spin-lock']),
    loads: true,
    code: 'chain_local_types',
  },
  { ...xdp('depth', ['deep-stack'], ['-DMAIN=512']), loads: true, code: 'chain_stack' },
  {
    ...xdp('deep', ['deep-stack', 'subprograms', 'loops'], stack(480, 32)),
    loads: true,
    code: 'chain_stack',
  },
  { ...xdp('many-maps', ['maps', 'many-maps']), loads: true, code: 'chain_maps' },
  { ...xdp('device-bound', ['kfuncs']), loads: false, code: 'chain_device_bound' },
]

/** A program's name in test titles: its entry, with what it was compiled with. */
export const titleOf = ({ entry, flags = [] }: TestProgram): string => [entry, ...flags].join(' ')
