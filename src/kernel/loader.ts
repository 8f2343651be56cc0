import { renameMaps } from '../bytecode/body.ts'
import { mapById } from './bpf-map.ts'
import { loadProgram, type ProgramImage } from './bpf-program.ts'
import type { Fd } from './fd.ts'
import { type OpenOriginal, type OriginalRequest, openOriginal } from './original.ts'

/** A program loaded as it is, by its facts; its maps are open in this process until `close`. */
export interface LoadedOriginal {
  /** Maps are named by the kernel's ids. */
  readonly code: Buffer
  readonly stackBytes: readonly number[]
  readonly verified: number
  /** Ids of the BTF of the kernel's modules whose functions it calls, by the index that its calls name. */
  readonly modules: ReadonlyMap<number, number>
  /** By the map's name. */
  readonly maps: ReadonlyMap<string, Fd>
  close(): void
}

/** What loads into the kernel. Code names maps by the kernel's ids, which mean the same in every process. */
export interface Loader {
  /** Loads an object's entry by libbpf. Throws what {@link openOriginal} does, `loader_failed`. */
  original(request: OriginalRequest): Promise<LoadedOriginal>
  /** Loads a program that was made of several. Throws what {@link loadProgram} does, `loader_failed`. */
  program(image: ProgramImage): Promise<Fd>
  close(): void
}

/** Loads in this process: what a fault in libbpf does to it, it does to all. */
export const directLoader: Loader = {
  original: async (request) => {
    const open = openOriginal(request)
    try {
      return adopt(open)
    } finally {
      open.close()
    }
  },
  program: async (image) => loadWithMapIds(image),
  close: () => undefined,
}

/** Opens the maps of an original that another handle still holds. Throws KernelError. */
export function adopt(original: Omit<OpenOriginal, 'close'>): LoadedOriginal {
  const maps = new Map<string, Fd>()
  const close = (): void => {
    for (const fd of maps.values()) fd.close()
  }
  try {
    for (const [name, id] of original.maps) maps.set(name, mapById(id))
  } catch (error) {
    close()
    throw error
  }
  return { ...original, maps, close }
}

/** Loads a program whose code names maps by id: opens each for as long as the kernel needs to take its own reference. */
export function loadWithMapIds(image: ProgramImage): Fd {
  const open = new Map<number, Fd>()
  try {
    const code = renameMaps(image.code, (id) => {
      const fd = open.get(id) ?? mapById(id)
      open.set(id, fd)
      return fd.number
    })
    return loadProgram({ ...image, code })
  } finally {
    for (const fd of open.values()) fd.close()
  }
}
