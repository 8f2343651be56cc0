import koffi from 'koffi'
import { DomainError } from '../domain/errors.ts'

/** Opaque C pointers, as koffi hands them out; null is the end of a list. */
export type Pointer = unknown

/** The functions of libbpf.so.1 that are used (bpf/libbpf.h). Return values below zero are negated errnos. */
export interface Libbpf {
  openMem(bytes: Buffer, size: number, options: Buffer): Pointer
  load(object: Pointer): number
  close(object: Pointer): void
  nextProgram(object: Pointer, previous: Pointer): Pointer
  nextMap(object: Pointer, previous: Pointer): Pointer
  programName(program: Pointer): string
  programFd(program: Pointer): number
  setType(program: Pointer, type: number): number
  setAttachType(program: Pointer, type: number): number
  setAutoload(program: Pointer, load: boolean): number
  setLogLevel(program: Pointer, level: number): number
  setLogBuffer(program: Pointer, buffer: Buffer, size: number): number
  instructionCount(program: Pointer): number
  instructions(program: Pointer): Pointer
  mapName(map: Pointer): string
  mapFd(map: Pointer): number
  mapIsInternal(map: Pointer): boolean
  reuseFd(map: Pointer, fd: number): number
  setPinPath(map: Pointer, path: string | null): number
  initialValue(map: Pointer, size: [number | bigint]): Pointer
  setInitialValue(map: Pointer, value: Buffer, size: number): number
  loadVmlinuxBtf(): Pointer
  loadBtfById(id: number, base: Pointer): Pointer
  btfType(btf: Pointer, id: number): Pointer
  btfName(btf: Pointer, offset: number): string
  freeBtf(btf: Pointer): void
  tcHookCreate(hook: Buffer): number
  tcHookDestroy(hook: Buffer): number
  tcAttach(hook: Buffer, options: Buffer): number
  tcDetach(hook: Buffer, options: Buffer): number
}

let loaded: Libbpf | undefined

/** Opens libbpf on first use. Throws `missing_dependency`. */
export function libbpf(): Libbpf {
  loaded ??= bind()
  return loaded
}

/** errno of the last failed call on this thread. */
export const lastErrno = (): number => koffi.errno()

/** Bytes behind a C pointer, copied. */
export const copyMemory = (pointer: Pointer, bytes: number): Buffer =>
  Buffer.from(koffi.view(pointer, bytes).slice(0))

function bind(): Libbpf {
  let library: ReturnType<typeof koffi.load>
  try {
    library = koffi.load('libbpf.so.1')
  } catch (cause) {
    throw new DomainError(
      'missing_dependency',
      'libbpf.so.1 is not installed (Debian: apt-get install libbpf1)',
      { cause },
    )
  }
  const bindOne = <T>(prototype: string): T => library.func(prototype) as T
  // libbpf prints to stderr unless told otherwise; what matters comes back as errno and verifier log
  bindOne<(print: null) => unknown>('void *libbpf_set_print(void *print)')(null)
  return {
    openMem: bindOne('void *bpf_object__open_mem(const void *bytes, size_t size, const void *options)'),
    load: bindOne('int bpf_object__load(void *object)'),
    close: bindOne('void bpf_object__close(void *object)'),
    nextProgram: bindOne('void *bpf_object__next_program(const void *object, void *previous)'),
    nextMap: bindOne('void *bpf_object__next_map(const void *object, const void *previous)'),
    programName: bindOne('const char *bpf_program__name(const void *program)'),
    programFd: bindOne('int bpf_program__fd(const void *program)'),
    setType: bindOne('int bpf_program__set_type(void *program, int type)'),
    setAttachType: bindOne('int bpf_program__set_expected_attach_type(void *program, int type)'),
    setAutoload: bindOne('int bpf_program__set_autoload(void *program, bool load)'),
    setLogLevel: bindOne('int bpf_program__set_log_level(void *program, uint32_t level)'),
    setLogBuffer: bindOne('int bpf_program__set_log_buf(void *program, void *buffer, size_t size)'),
    instructionCount: bindOne('size_t bpf_program__insn_cnt(const void *program)'),
    instructions: bindOne('const void *bpf_program__insns(const void *program)'),
    mapName: bindOne('const char *bpf_map__name(const void *map)'),
    mapFd: bindOne('int bpf_map__fd(const void *map)'),
    mapIsInternal: bindOne('bool bpf_map__is_internal(const void *map)'),
    reuseFd: bindOne('int bpf_map__reuse_fd(void *map, int fd)'),
    setPinPath: bindOne('int bpf_map__set_pin_path(void *map, const char *path)'),
    initialValue: bindOne('void *bpf_map__initial_value(void *map, _Out_ size_t *size)'),
    loadVmlinuxBtf: bindOne('void *btf__load_vmlinux_btf(void)'),
    loadBtfById: bindOne('void *btf__load_from_kernel_by_id_split(uint32_t id, void *base)'),
    btfType: bindOne('const void *btf__type_by_id(const void *btf, uint32_t id)'),
    btfName: bindOne('const char *btf__name_by_offset(const void *btf, uint32_t offset)'),
    freeBtf: bindOne('void btf__free(void *btf)'),
    setInitialValue: bindOne('int bpf_map__set_initial_value(void *map, const void *value, size_t size)'),
    tcHookCreate: bindOne('int bpf_tc_hook_create(void *hook)'),
    tcHookDestroy: bindOne('int bpf_tc_hook_destroy(void *hook)'),
    tcAttach: bindOne('int bpf_tc_attach(const void *hook, void *options)'),
    tcDetach: bindOne('int bpf_tc_detach(const void *hook, const void *options)'),
  }
}
