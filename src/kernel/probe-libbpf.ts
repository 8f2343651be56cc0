import koffi from 'koffi'
import { libbpf, type Pointer } from './libbpf.ts'

/** Binds a function of libbpf that only probes use. Throws `missing_dependency`. */
function bind<T>(prototype: string): T {
  libbpf() // it says what is missing, and keeps libbpf from printing
  return koffi.load('libbpf.so.1').func(prototype) as T
}

/** The version that libbpf gives itself, such as `v1.1`. */
export const libbpfVersion = (): string => bind<() => string>('const char *libbpf_version_string()')()

/** Id of a type of the kernel's BTF by name and kind (BTF_KIND_*, linux/btf.h); undefined when there is none. */
export function findKernelType(name: string, kind: number): number | undefined {
  const load = bind<() => Pointer>('void *btf__load_vmlinux_btf()')
  const find = bind<(btf: Pointer, name: string, kind: number) => number>(
    'int btf__find_by_name_kind(const void *btf, const char *name, uint32_t kind)',
  )
  const free = bind<(btf: Pointer) => void>('void btf__free(void *btf)')
  const btf = load()
  if (btf === null) return undefined
  try {
    const id = find(btf, name, kind)
    return id > 0 ? id : undefined
  } finally {
    free(btf)
  }
}

/**
 * Makes the clsact qdisc of an interface of the thread's network namespace, and the program a filter on its way in:
 * struct bpf_tc_hook and struct bpf_tc_opts, bpf/libbpf.h. Gives 0, or a negated errno.
 */
export function attachByClsact(ifindex: number, programFd: number): number {
  const [HOOK_BYTES, OPTIONS_BYTES, BPF_TC_INGRESS] = [24, 32, 1]
  const hook = Buffer.alloc(HOOK_BYTES)
  hook.writeBigUInt64LE(BigInt(HOOK_BYTES), 0)
  hook.writeInt32LE(ifindex, 8)
  hook.writeUInt32LE(BPF_TC_INGRESS, 12)
  const options = Buffer.alloc(OPTIONS_BYTES)
  options.writeBigUInt64LE(BigInt(OPTIONS_BYTES), 0)
  options.writeInt32LE(programFd, 8)
  const made = bind<(hook: Buffer) => number>('int bpf_tc_hook_create(void *hook)')(hook)
  if (made < 0) return made
  return bind<(hook: Buffer, options: Buffer) => number>(
    'int bpf_tc_attach(const void *hook, void *options)',
  )(hook, options)
}
