import { DomainError } from '../domain/errors.ts'
import { attr, textOf } from './bpf-attr.ts'
import { Fd, type OpenFile } from './fd.ts'
import { copyMemory, libbpf, type Pointer } from './libbpf.ts'
import { addressOf, bpf, KernelError } from './libc.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_OBJ_GET_INFO_BY_FD, BPF_BTF_GET_FD_BY_ID, BPF_BTF_GET_NEXT_ID] = [15, 19, 23] as const
/** struct bpf_btf_info: name u64 at 16, name_len u32 at 24, kernel_btf u32 at 28; linux/bpf.h. */
const BTF_INFO_BYTES = 32
/** BTF_KIND_FUNC; struct btf_type {name_off u32, info u32 with the kind in bits 24 to 28, type u32}; linux/btf.h. */
const BTF_KIND_FUNC = 12
const TYPE_BYTES = 12
const MODULE_NAME_BYTES = 64 // MODULE_NAME_LEN, linux/moduleparam.h, is 56
const ENOENT = 2

/** A call of a kernel function of a module: the index by which libbpf named the module, and the function's type there. */
export interface ModuleCall {
  readonly index: number
  readonly typeId: number
}

/**
 * Finds out which modules libbpf meant: the table that it numbered them by stays its own, but a module is known by having
 * a function of one of the expected `names` under every type id that goes with an index. Gives the kernel's ids of the
 * modules' BTF by index. Throws `chain_module_functions`, KernelError.
 */
export function findModules(calls: readonly ModuleCall[], names: readonly string[]): Map<number, number> {
  const found = new Map<number, number>()
  if (calls.length === 0) return found
  const lib = libbpf()
  const base = lib.loadVmlinuxBtf()
  if (base === null) throw new DomainError('chain_module_functions', 'the kernel does not show its types')
  try {
    for (const id of moduleBtfIds()) {
      const btf = lib.loadBtfById(id, base)
      if (btf === null) continue // unloaded meanwhile
      try {
        for (const [index, of] of Map.groupBy(calls, (call) => call.index))
          if (of.every(({ typeId }) => names.includes(functionName(btf, typeId)))) found.set(index, id)
      } finally {
        lib.freeBtf(btf)
      }
    }
  } finally {
    lib.freeBtf(base)
  }
  const missing = calls.find(({ index }) => !found.has(index))
  if (missing !== undefined)
    throw new DomainError(
      'chain_module_functions',
      `no loaded module has one of ${names.join(', ')} as type ${missing.typeId}`,
    )
  return found
}

/** Opens a module's BTF by the kernel's id. Throws KernelError. */
export function btfById(id: number): Fd {
  const result = bpf(BPF_BTF_GET_FD_BY_ID, attr(12, [[0, 'u32', id]]))
  if (result < 0) throw new KernelError(`open the types of a kernel module (${id})`, -result)
  return new Fd(result)
}

/** Name of a function type; empty for any other type. */
function functionName(btf: Pointer, typeId: number): string {
  const lib = libbpf()
  const type = lib.btfType(btf, typeId)
  if (type === null) return ''
  const record = copyMemory(type, TYPE_BYTES)
  const kind = (record.readUInt32LE(4) >>> 24) & 31
  return kind === BTF_KIND_FUNC ? lib.btfName(btf, record.readUInt32LE(0)) : ''
}

/** Ids of the BTF of all loaded modules. */
function* moduleBtfIds(): Generator<number> {
  for (let id = 0; ; ) {
    const request = attr(12, [[0, 'u32', id]])
    const result = bpf(BPF_BTF_GET_NEXT_ID, request)
    if (result === -ENOENT) return
    if (result < 0) throw new KernelError('list the kernel’s types', -result)
    id = request.readUInt32LE(4)
    using btf = openIfThere(id)
    if (btf !== undefined && isModule(btf)) yield id
  }
}

function openIfThere(id: number): Fd | undefined {
  const result = bpf(BPF_BTF_GET_FD_BY_ID, attr(12, [[0, 'u32', id]]))
  return result < 0 ? undefined : new Fd(result)
}

function isModule(btf: OpenFile): boolean {
  const name = Buffer.alloc(MODULE_NAME_BYTES)
  const info = Buffer.alloc(BTF_INFO_BYTES)
  info.writeBigUInt64LE(addressOf(name), 16)
  info.writeUInt32LE(name.length, 24)
  const result = bpf(
    BPF_OBJ_GET_INFO_BY_FD,
    attr(16, [
      [0, 'u32', btf.number],
      [4, 'u32', info.length],
      [8, 'pointer', info],
    ]),
  )
  return result >= 0 && info.readUInt32LE(28) === 1 && textOf(name) !== 'vmlinux'
}
