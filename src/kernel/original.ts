import { readBody, renameMaps } from '../bytecode/body.ts'
import { DomainError } from '../domain/errors.ts'
import type { Hook } from '../domain/hook.ts'
import { cString, textOf } from './bpf-attr.ts'
import { mapInfo } from './bpf-info.ts'
import { PROGRAM_TYPES, verifierError } from './bpf-program.ts'
import { copyMemory, lastErrno, libbpf, type Pointer } from './libbpf.ts'
import { addressOf, KernelError } from './libc.ts'
import { findModules } from './module-types.ts'

/** BPF_LOG_STATS and BPF_LOG_LEVEL1, kernel/bpf: figures of the verification; the instructions walked. */
const [LOG_STATS, LOG_WALK] = [4, 1] as const
const STATS_BYTES = 1 << 16
const WALK_BYTES = 4 << 20
const SLOT_BYTES = 8
const EAGAIN = 11

/** How an object is to be loaded. */
export interface OriginalRequest {
  /** The object's bytes; exactly these are handed to libbpf. */
  readonly bytes: Buffer
  /** The function to load; all others are left out, but for {@link arrayPrograms}. */
  readonly entry: string
  readonly hook: Hook
  /** Programs that the object's arrays of programs hold from the start. */
  readonly arrayPrograms: readonly string[]
  /** Kernel functions that the object names. */
  readonly kernelFunctions: readonly string[]
  /** Values written into global variables before the load: section (such as `.rodata`), offset in it, bytes. */
  readonly variables: readonly { readonly section: string; readonly offset: number; readonly value: Buffer }[]
  /** File descriptors of maps to use instead of new ones, by name as in {@link OpenOriginal.maps}. */
  readonly reuse: ReadonlyMap<string, number>
}

/** A program that libbpf has loaded as it is. It holds its maps open until `close`. */
export interface OpenOriginal {
  /** The entry's relocated instructions with its subprograms; maps are named by the kernel's ids. */
  readonly code: Buffer
  /** Bytes of stack of each function of the program, the entry's first, as the verifier counts them. */
  readonly stackBytes: readonly number[]
  /** Instructions that the verifier walked. */
  readonly verified: number
  /** Ids of the BTF of the kernel's modules whose functions it calls, by the index that its calls name. */
  readonly modules: ReadonlyMap<number, number>
  /** Ids by the map's name; the map of a data section is named as the section, such as `.bss`. */
  readonly maps: ReadonlyMap<string, number>
  close(): void
}

/**
 * Opens an object from memory, applies CO-RE and relocations, creates its maps and lets the kernel verify the entry as
 * a program of its hook. Nothing is attached, and nothing is pinned whatever the object asks for.
 * Throws `entry_not_found`, `verifier_refused` (whole log kept), `chain_stack`, `object_mismatch`, KernelError.
 */
export function openOriginal(request: OriginalRequest): OpenOriginal {
  try {
    return loadOnce(request, LOG_STATS, STATS_BYTES)
  } catch (error) {
    if (!isRefusal(error)) throw error
    return loadForWalk(request, error)
  }
}

const isRefusal = (error: unknown): error is DomainError =>
  error instanceof DomainError && error.code === 'verifier_refused'

/** The statistics do not say where: once more, with the walk. Kernels before 6.4 leave out the end of one that is too long, the reason with it. */
function loadForWalk(request: OriginalRequest, refusal: DomainError): OpenOriginal {
  try {
    return loadOnce(request, LOG_WALK, WALK_BYTES)
  } catch (error) {
    if (!isRefusal(error) || /^processed \d+ insns/m.test(error.log ?? '')) throw error
    throw new DomainError(refusal.code, refusal.message, { log: `${error.log}\n${refusal.log}` })
  }
}

/** A program of the object that is to be loaded, and where its log goes. */
interface Selected {
  readonly name: string
  readonly program: Pointer
  readonly log: Buffer
}

function loadOnce(request: OriginalRequest, logLevel: number, logBytes: number): OpenOriginal {
  const lib = libbpf()
  const object = open(request.bytes)
  try {
    const selected = select(object, request, logLevel, logBytes)
    const entry = selected.find(({ name }) => name === request.entry)
    if (entry === undefined)
      throw new DomainError('entry_not_found', `the object has no program ${request.entry}`)
    prepareMaps(object, request)
    const result = lib.load(object)
    if (result < 0) throw loadError(request.entry, -result, selected)
    const slots = Number(lib.instructionCount(entry.program))
    const idByFd = new Map<number, number>()
    const maps = new Map([...mapsOf(object)].map((map) => [nameOf(map), idOf(lib.mapFd(map), idByFd)]))
    const log = textOf(entry.log)
    const code = renameMaps(copyMemory(lib.instructions(entry.program), slots * SLOT_BYTES), (fd) =>
      idOf(fd, idByFd),
    )
    return {
      code,
      modules: findModules(
        readBody(code, request.entry).moduleCalls.map(({ index, typeId }) => ({ index, typeId })),
        request.kernelFunctions,
      ),
      stackBytes: stackDepths(request.entry, log),
      verified: Number(/^processed (\d+) insns/m.exec(log)?.[1] ?? 0),
      maps,
      close: () => lib.close(object),
    }
  } catch (error) {
    lib.close(object)
    throw error
  }
}

function idOf(fd: number, known: Map<number, number>): number {
  const id = known.get(fd) ?? mapInfo({ number: fd }).id
  known.set(fd, id)
  return id
}

/** struct bpf_object_open_opts, bpf/libbpf.h 1.0: sz at 0, object_name at 8; later fields stay zero. */
function open(bytes: Buffer): Pointer {
  const OPTIONS_BYTES = 88
  const name = cString('hookline')
  const options = Buffer.alloc(OPTIONS_BYTES)
  options.writeBigUInt64LE(BigInt(OPTIONS_BYTES), 0)
  options.writeBigUInt64LE(addressOf(name), 8)
  const object = libbpf().openMem(bytes, bytes.length, options)
  if (object === null) throw new KernelError('libbpf cannot open the object', lastErrno())
  return object
}

function* listOf(next: (previous: Pointer) => Pointer): Generator<Pointer> {
  for (let item = next(null); item !== null; item = next(item)) yield item
}
const mapsOf = (object: Pointer): Generator<Pointer> =>
  listOf((previous) => libbpf().nextMap(object, previous))

/** libbpf names the map of a data section `hookline.bss`, but one of more dots as the section: `.data.hot`. */
function nameOf(map: Pointer): string {
  const name = libbpf().mapName(map)
  return libbpf().mapIsInternal(map) ? name.slice(Math.max(0, name.indexOf('.'))) : name
}

/** Leaves out all programs but those asked for. Their type follows from the hook, not from their section's name. */
function select(
  object: Pointer,
  { entry, hook, arrayPrograms }: OriginalRequest,
  logLevel: number,
  logBytes: number,
): Selected[] {
  const lib = libbpf()
  const { type, attachType } = PROGRAM_TYPES[hook]
  const selected: Selected[] = []
  for (const program of listOf((previous) => lib.nextProgram(object, previous))) {
    const name = lib.programName(program)
    const wanted = name === entry || arrayPrograms.includes(name)
    lib.setAutoload(program, wanted)
    if (!wanted) continue
    lib.setType(program, type)
    lib.setAttachType(program, attachType)
    const log = Buffer.alloc(logBytes)
    lib.setLogLevel(program, logLevel)
    lib.setLogBuffer(program, log, log.length)
    selected.push({ name, program, log })
  }
  return selected
}

function prepareMaps(object: Pointer, request: OriginalRequest): void {
  const lib = libbpf()
  for (const map of mapsOf(object)) {
    const name = nameOf(map)
    lib.setPinPath(map, null) // LIBBPF_PIN_BY_NAME would share state with whoever uses the same name
    const fd = request.reuse.get(name)
    if (fd !== undefined) {
      const result = lib.reuseFd(map, fd)
      if (result < 0) throw new KernelError(`use the kept map ${name}`, -result)
      continue
    }
    const values = request.variables.filter(({ section }) => section === name)
    if (values.length > 0) setVariables(map, name, values)
  }
}

function setVariables(map: Pointer, name: string, values: OriginalRequest['variables']): void {
  const size: [number | bigint] = [0]
  const pointer = libbpf().initialValue(map, size)
  if (pointer === null) throw new KernelError(`read the initial value of ${name}`, 22)
  const content = copyMemory(pointer, Number(size[0]))
  for (const { offset, value } of values) {
    if (offset + value.length > content.length)
      throw new DomainError('object_mismatch', `a configuration variable lies outside ${name}`)
    Buffer.from(value).copy(content, offset)
  }
  const result = libbpf().setInitialValue(map, content, content.length)
  if (result < 0) throw new KernelError(`set the variables of ${name}`, -result)
}

/** The programs are loaded in order, and none after the one that was refused: its log is the last. A walk cut short by signals tells nothing. */
function loadError(entry: string, errno: number, selected: readonly Selected[]): DomainError {
  const refused = selected.findLast(({ log }) => textOf(log).trim() !== '')
  if (refused !== undefined && errno !== EAGAIN) return verifierError(refused.name, textOf(refused.log))
  return new KernelError(`load ${entry}`, errno)
}

/** Reads `stack depth 64+0+32`, one figure a function, from the verifier's statistics. */
function stackDepths(entry: string, log: string): number[] {
  const match = /^stack depth ([\d+]+)/m.exec(log)
  if (match?.[1] === undefined)
    throw new DomainError('verifier_refused', `${entry}: the kernel does not say how much stack it uses`, {
      log,
    })
  return match[1].split('+').map(Number)
}
