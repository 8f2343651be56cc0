import type { ErrorCode } from '../domain/errors.ts'
import type { Hook } from '../domain/hook.ts'
import type { BpfObject } from './bpf-object.ts'
import { MAP_TYPE_ARENA } from './map-types.ts'
import type { BpfFunction } from './programs.ts'

/** Why a program cannot be part of a chain: one of the codes `chain_*`, and what it is that it does. */
export interface ChainObstacle {
  readonly code: Extract<
    ErrorCode,
    'chain_exception' | 'chain_device_bound' | 'chain_local_types' | 'chain_arena' | 'chain_no_btf'
  >
  readonly message: string
}

/** Kernel functions that ask the driver for a packet's metadata (Documentation/networking/xdp-rx-metadata.rst). */
const DEVICE_BOUND = new Set([
  'bpf_xdp_metadata_rx_timestamp',
  'bpf_xdp_metadata_rx_hash',
  'bpf_xdp_metadata_rx_vlan_tag',
])
/**
 * Kernel functions whose arguments are types of the program's own BTF, by number or by what the verifier knows of a
 * pointer (kernel/bpf/helpers.c). From Linux 7.0 on they are called by these names without `_impl` too.
 */
const LOCAL_TYPES = new Set(
  [
    'bpf_obj_new',
    'bpf_obj_drop',
    'bpf_percpu_obj_new',
    'bpf_percpu_obj_drop',
    'bpf_refcount_acquire',
    'bpf_list_push_front',
    'bpf_list_push_back',
    'bpf_rbtree_add',
  ].flatMap((name) => [name, `${name}_impl`]),
)

/**
 * All that keeps a program of an object out of every chain on a hook, as far as the object's bytes tell; none when it
 * can be chained. Whether it fits a chain with others, and a kernel, is seen when the chain is built.
 */
export function chainObstacles(
  object: BpfObject,
  program: BpfFunction,
  hook: Hook,
): readonly ChainObstacle[] {
  const found: ChainObstacle[] = []
  const calls = (wanted: (name: string) => boolean): string =>
    program.kfuncs.filter((name) => wanted(kernelName(name))).join(', ')
  const throwing = calls((name) => name === 'bpf_throw')
  if (throwing !== '')
    found.push({
      code: 'chain_exception',
      message: `it throws exceptions (${throwing}), which would leave the chain`,
    })
  const metadata = hook === 'xdp' ? calls((name) => DEVICE_BOUND.has(name)) : ''
  if (metadata !== '')
    found.push({
      code: 'chain_device_bound',
      message: `it asks one device's driver for metadata (${metadata}), which binds the whole program to that device`,
    })
  const local = calls((name) => LOCAL_TYPES.has(name))
  if (local !== '')
    found.push({
      code: 'chain_local_types',
      message: `it makes objects of its own types (${local}), which are numbers of its own BTF`,
    })
  const arenas = object.maps.filter((map) => map.type === MAP_TYPE_ARENA && program.maps.includes(map.name))
  if (arenas.length > 0)
    found.push({
      code: 'chain_arena',
      message: `it uses an arena (${arenas.map(({ name }) => name).join(', ')}), of which a program can have one`,
    })
  return [...found, ...missingTypes(program)]
}

/**
 * The name by which a kernel function is found: `bpf_throw` for `bpf_throw___other`. Since libbpf 1.3 what follows the last
 * three underscores is only a flavour (bpf_core_essential_name_len).
 */
export const kernelName = (name: string): string => /^(.*[^_])___[^_]/.exec(name)?.[1] ?? name

/** The kernel takes callbacks, and tail calls beside subprograms, only with the BTF types of all functions. */
function missingTypes({ callbacks, tailCalls, functions }: BpfFunction): readonly ChainObstacle[] {
  if (!callbacks && !(tailCalls && functions.length > 1)) return []
  const untyped = functions.filter(({ typeId }) => typeId === undefined).map(({ name }) => name)
  if (untyped.length === 0) return []
  const [what, more] = [callbacks ? 'callbacks' : 'tail calls beside subprograms', untyped.length - 1]
  return [
    {
      code: 'chain_no_btf',
      message: `it has ${what}, but no BTF type of ${untyped[0]}${more > 0 ? ` and ${more} more` : ''}`,
    },
  ]
}
