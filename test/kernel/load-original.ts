import { u32 } from '../../src/elf/byte-view.ts'
import { findSection, readElf } from '../../src/elf/elf-file.ts'
import { readSymbols, STT } from '../../src/elf/symbols.ts'
import { cString, textOf } from '../../src/kernel/bpf-attr.ts'
import { ATTACH_TYPE_XDP, PROG_TYPE_XDP, verifierError } from '../../src/kernel/bpf-program.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'
import { copyMemory, lastErrno, libbpf, type Pointer } from '../../src/kernel/libbpf.ts'
import { addressOf, KernelError } from '../../src/kernel/libc.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import type { TestHook } from './programs.ts'

/** BPF_PROG_TYPE_SCHED_CLS, linux/bpf.h. */
const PROG_TYPE_SCHED_CLS = 3
/** BPF_LOG_STATS, kernel/bpf. */
const LOG_STATS = 4
const LOG_BYTES = 1 << 16

/** A program as libbpf loads it, not changed in any way. Its descriptors live until it is disposed of. */
export interface Original extends Disposable {
  readonly program: OpenFile
  /** File descriptors by the map's name; the map of a data section is named as the section, such as `.bss`. */
  readonly maps: ReadonlyMap<string, number>
  /** Instructions that the verifier walked. */
  readonly walked: number
  /** Bytes of stack of each function, the entry's first. */
  readonly stackBytes: readonly number[]
}

/** What is loaded: an entry of an object, on maps given by name in place of new ones. */
export interface OriginalRequest {
  readonly entry: string
  readonly hook: TestHook
  readonly reuse?: ReadonlyMap<string, number>
  /** Values written into global variables before the load. */
  readonly variables?: EntryImage['variables']
}

/**
 * Loads an entry and the programs that its object's PROG_ARRAYs hold from the start, all with the type of the hook.
 * Flags such as BPF_F_XDP_HAS_FRAGS come from the section's name. Throws `verifier_refused`, `chain_stack`, KernelError.
 */
export function loadOriginal(
  bytes: Buffer,
  { entry, hook, reuse, variables = [] }: OriginalRequest,
): Original {
  const lib = libbpf()
  const object = open(bytes)
  try {
    const log = Buffer.alloc(LOG_BYTES)
    const program = select(object, entry, arrayTargets(bytes), hook)
    lib.setLogLevel(program, LOG_STATS)
    lib.setLogBuffer(program, log, log.length)
    for (const [name, map] of mapsOf(object)) {
      lib.setPinPath(map, null)
      const fd = reuse?.get(name)
      if (fd !== undefined && lib.reuseFd(map, fd) < 0) throw new Error(`${entry}: map ${name} does not fit`)
      if (fd === undefined)
        setVariables(
          map,
          variables.filter(({ section }) => section === name),
        )
    }
    const result = lib.load(object)
    const text = textOf(log)
    if (result < 0 && text.trim() !== '') throw verifierError(entry, text)
    if (result < 0) throw new KernelError(`load ${entry}`, -result)
    return {
      program: { number: lib.programFd(program) },
      maps: new Map([...mapsOf(object)].map(([name, map]) => [name, lib.mapFd(map)])),
      ...figuresOf(entry, text),
      [Symbol.dispose]: () => lib.close(object),
    }
  } catch (error) {
    lib.close(object)
    throw error
  }
}

function setVariables(map: Pointer, variables: EntryImage['variables']): void {
  if (variables.length === 0) return
  const size: [number | bigint] = [0]
  const initial = libbpf().initialValue(map, size)
  if (initial === null) throw new Error('the section has no value')
  const content = copyMemory(initial, Number(size[0]))
  for (const { offset, value } of variables) value.copy(content, offset)
  if (libbpf().setInitialValue(map, content, content.length) < 0) throw new Error('the value is not taken')
}

/** Names of the functions that initialised PROG_ARRAYs hold: `.maps` is relocated by them (bpf/bpf_helpers.h, __array). */
export function arrayTargets(bytes: Buffer): string[] {
  const REL_BYTES = 16 // Elf64_Rel
  const file = readElf(bytes)
  const relocations = findSection(file, '.rel.maps')
  if (relocations === undefined) return []
  const { symbols } = readSymbols(file)
  const names: string[] = []
  for (let at = 0; at < relocations.size; at += REL_BYTES) {
    const symbol = symbols[u32(relocations.data, at + 12)] // ELF64_R_SYM: the high half of r_info
    if (symbol?.type === STT.func) names.push(symbol.name)
  }
  return names
}

/** struct bpf_object_open_opts, bpf/libbpf.h 1.0: sz at 0, object_name at 8. */
function open(bytes: Buffer): Pointer {
  const OPTIONS_BYTES = 88
  const name = cString('original')
  const options = Buffer.alloc(OPTIONS_BYTES)
  options.writeBigUInt64LE(BigInt(OPTIONS_BYTES), 0)
  options.writeBigUInt64LE(addressOf(name), 8)
  const object = libbpf().openMem(bytes, bytes.length, options)
  if (object === null) throw new KernelError('libbpf cannot open the object', lastErrno())
  return object
}

function select(object: Pointer, entry: string, targets: readonly string[], hook: TestHook): Pointer {
  const lib = libbpf()
  let found: Pointer
  for (let each = lib.nextProgram(object, null); each !== null; each = lib.nextProgram(object, each)) {
    const name = lib.programName(each)
    const wanted = name === entry || targets.includes(name)
    lib.setAutoload(each, wanted)
    if (!wanted) continue
    lib.setType(each, hook === 'xdp' ? PROG_TYPE_XDP : PROG_TYPE_SCHED_CLS)
    if (hook === 'xdp') lib.setAttachType(each, ATTACH_TYPE_XDP)
    if (name === entry) found = each
  }
  if (found === undefined) throw new Error(`the object has no program ${entry}`)
  return found
}

/** Maps by name; libbpf names that of a data section `original.bss`, but one of more dots as the section. */
function* mapsOf(object: Pointer): Generator<[string, Pointer]> {
  const lib = libbpf()
  for (let map = lib.nextMap(object, null); map !== null; map = lib.nextMap(object, map)) {
    const name = lib.mapName(map)
    yield [lib.mapIsInternal(map) ? name.slice(Math.max(0, name.indexOf('.'))) : name, map]
  }
}

/** Reads `stack depth 64+0+32` and `processed 120 insns` of the verifier's statistics. */
function figuresOf(entry: string, log: string): { walked: number; stackBytes: number[] } {
  const stack = /^stack depth ([\d+]+)/m.exec(log)?.[1]
  const walked = /^processed (\d+) insns/m.exec(log)?.[1]
  if (stack === undefined || walked === undefined) throw new Error(`${entry}: no statistics in ${log}`)
  return { walked: Number(walked), stackBytes: stack.split('+').map(Number) }
}
