import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Body, readBody } from '../bytecode/body.ts'
import { dropAll } from '../bytecode/drop-all.ts'
import type { LayoutEntry } from '../bytecode/layout.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { EntryImage, EntryMap } from '../ports/chain-kernel.ts'
import { mapInfo } from './bpf-info.ts'
import { PROG_ARRAY } from './bpf-map.ts'
import { openPin, pin, pinName, unpin } from './bpffs.ts'
import type { Fd } from './fd.ts'
import type { LoadedOriginal, Loader } from './loader.ts'
import { fillMap } from './map-fill.ts'
import type { OriginalRequest } from './original.ts'

/** An entry that was loaded as it is and analysed: what a chain is made from. */
export interface Original extends LayoutEntry {
  /** Maps of its own that a generation must keep pinned: the kernel empties an array of programs that nobody holds. */
  readonly programArrays: readonly Fd[]
  readonly maps: ReadonlyMap<string, Fd>
  /** Ids of the BTF of the kernel's modules whose functions it calls, by the index that its calls name. */
  readonly modules: ReadonlyMap<number, number>
}

/** New pins of state maps, to be taken back when what they were made for fails. */
type NewPins = string[]

/**
 * The originals of an agent's chains, kept from one build to the next: a change of one entry of a chain does not load the
 * others again. State maps are pinned under `mapsFolder` by their keys; one that is pinned is used, whoever made it.
 */
export class Originals {
  readonly #loader: Loader
  readonly #mapsFolder: string
  readonly #known = new Map<string, { image: EntryImage; original: Original; loaded: LoadedOriginal }>()

  constructor(loader: Loader, mapsFolder: string) {
    this.#loader = loader
    this.#mapsFolder = mapsFolder
  }

  /** Loads an entry, or gives it as it was loaded before. Throws what the loader does, `chain_instruction`. */
  async obtain(image: EntryImage, newPins: NewPins): Promise<Original> {
    if (image.builtin === 'drop') return dropOriginal(image)
    const key = originalKey(image)
    const known = this.#known.get(key)
    this.#known.delete(key)
    if (known !== undefined && this.#current(known.image, known.original)) {
      this.#known.set(key, known) // the last one to be let go
      return known.original
    }
    known?.loaded.close()
    const loaded = await this.#load(image, newPins)
    try {
      const original = describeOriginal(image, loaded)
      this.#known.set(key, { image, original, loaded })
      return original
    } catch (error) {
      loaded.close()
      throw error
    }
  }

  /** Lets go of those that use a state map which is not in `keep`, and of the oldest beyond a number. */
  collect(keep: ReadonlySet<string>): void {
    const excess = this.#known.size - LIMITS.chain_originals
    for (const [at, [key, { image, loaded }]] of [...this.#known].entries())
      if (at < excess || image.maps.some(({ stateKey }) => stateKey !== undefined && !keep.has(stateKey))) {
        loaded.close()
        this.#known.delete(key)
      }
  }

  /** Lets go of those that `gone` tells of. */
  forget(gone: (image: EntryImage) => boolean): void {
    for (const [key, { image, loaded }] of [...this.#known])
      if (gone(image)) {
        loaded.close()
        this.#known.delete(key)
      }
  }

  #pinOf(stateKey: string): string {
    return join(this.#mapsFolder, pinName(stateKey))
  }

  /** Whether the state maps that it was loaded on are those that are pinned. */
  #current(image: EntryImage, { maps }: Original): boolean {
    return image.maps.every(({ name, stateKey }) => {
      if (stateKey === undefined) return true
      const [ours, path] = [maps.get(name), this.#pinOf(stateKey)]
      using pinned = openPin(path)
      return ours !== undefined && pinned !== undefined && mapInfo(ours).id === mapInfo(pinned).id
    })
  }

  /** Loads an entry on the state maps that are pinned already; those that are not yet are filled and pinned. */
  async #load(image: EntryImage, newPins: NewPins): Promise<LoadedOriginal> {
    const kept = new Map<string, Fd>()
    try {
      for (const { name, stateKey } of image.maps) {
        const fd = stateKey === undefined ? undefined : openPin(this.#pinOf(stateKey))
        if (fd !== undefined) kept.set(name, fd)
      }
      const loaded = await this.#loader.original(requestOf(image, kept))
      try {
        for (const map of image.maps)
          if (map.stateKey !== undefined && !kept.has(map.name))
            this.#pinNew(loaded, map, this.#pinOf(map.stateKey), newPins)
      } catch (error) {
        loaded.close()
        throw error
      }
      return loaded
    } finally {
      for (const fd of kept.values()) fd.close()
    }
  }

  /** Pins a map that was not there, filled before it can be found: half a configuration must never be taken for a whole one. */
  #pinNew({ maps }: LoadedOriginal, { name, content }: EntryMap, path: string, newPins: NewPins): void {
    const map = maps.get(name)
    if (map === undefined) throw new DomainError('map_incompatible', `the object has no map ${name}`)
    if (content !== undefined) fillMap(map, content)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    pin(map, path)
    newPins.push(path)
  }
}

/** How an entry is loaded on maps that are there already. */
export const requestOf = (image: EntryImage, kept: ReadonlyMap<string, Fd>): OriginalRequest => ({
  bytes: image.bytes,
  entry: image.entry,
  hook: image.hook,
  arrayPrograms: image.arrayPrograms,
  kernelFunctions: image.kernelFunctions,
  variables: image.variables,
  reuse: new Map([...kept].map(([name, fd]) => [name, fd.number])),
})

/** What drops every packet needs no object, and no load of its own. */
export const dropOriginal = ({ entry, hook }: EntryImage): Original => ({
  ...{ name: entry, body: dropAll(hook), stackBytes: [0], verified: 2, gplCompatible: true, typed: false },
  ...{ maps: new Map(), modules: new Map(), programArrays: [] },
})

/** Takes back the pins of a build that failed. */
export const takeBack = (newPins: NewPins): void => {
  for (const path of newPins) unpin(path)
}

/** What a chain is made from, of an entry that was loaded. Throws `chain_instruction`. */
export function describeOriginal(
  image: EntryImage,
  { code, stackBytes, verified, maps, modules }: LoadedOriginal,
): Original {
  const body = readBody(code, image.entry)
  return {
    name: image.entry,
    body,
    stackBytes,
    verified,
    gplCompatible: image.gplCompatible,
    typed: isTyped(image, body),
    maps,
    modules,
    programArrays: [...maps.values()].filter((map) => mapInfo(map).type === PROG_ARRAY),
  }
}

/** Whether the functions that the object describes are those that libbpf laid, each with a type. */
function isTyped({ functions, btf }: EntryImage, body: Body): boolean {
  if (btf === undefined || functions.length !== body.functions.length) return false
  let slot = 0
  return functions.every(({ slots, typeId }, at) => {
    const fits = body.functions[at] === slot && typeId !== undefined
    slot += slots
    return fits
  })
}

/** Equal keys: the same bytes, loaded the same way on the same maps, are loaded once, also where several entries are made of them. */
export function originalKey({ bytes, entry, hook, variables, maps }: EntryImage): string {
  const digest = createHash('sha256').update(bytes).digest('hex')
  const values = variables.map(({ section, offset, value }) => [section, offset, value.toString('hex')])
  return JSON.stringify([
    digest,
    entry,
    hook,
    values,
    maps.map(({ name, stateKey }) => [name, stateKey ?? null]),
  ])
}
