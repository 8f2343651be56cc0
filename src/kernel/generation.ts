import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mapFdsOf, readBody } from '../bytecode/body.ts'
import { ENTRY_COUNTER_BYTES, type FuseEntry, fuse, requireChainLength } from '../bytecode/fuse.ts'
import { DomainError } from '../domain/errors.ts'
import { XDP_VERDICTS } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import type { EntryImage, EntryMap } from '../ports/chain-kernel.ts'
import { mapInfo } from './bpf-info.ts'
import { createPercpuArray } from './bpf-map.ts'
import { loadXdpProgram, PROG_FLAG_FRAGS } from './bpf-program.ts'
import { openPin, pin, pinName, removeTree, unpin } from './bpffs.ts'
import type { Fd, OpenFile } from './fd.ts'
import { fillMap } from './map-fill.ts'
import { type LoadedObject, loadObject } from './object.ts'

/** Where a generation's parts are pinned. */
export const generationFolder = (chainFolder: string, generation: number): string =>
  join(chainFolder, `gen-${generation}`)

/**
 * Builds one generation off to the side: loads each entry's object on the instance's kept state maps, fuses them, loads
 * the result, and pins program and counters under `folder` and new state maps under `mapsFolder`. Nothing is attached.
 * What it pinned is removed again when it fails. Throws `chain_*`, `verifier_refused`, `map_incompatible`, KernelError.
 */
export function buildGeneration(folder: string, mapsFolder: string, entries: readonly EntryImage[]): void {
  requireChainLength(entries.length)
  requireAlike(entries)
  const loaded: LoadedObject[] = []
  const newPins: string[] = []
  try {
    const fuseEntries = entries.map((image): FuseEntry => {
      const object = loadEntry(image, mapsFolder, newPins)
      loaded.push(object)
      return {
        body: readBody(object.code, image.entry),
        stackBytes: object.stackBytes[0] ?? 0,
        proceedMask: image.proceed.reduce((mask, verdict) => mask | (1 << XDP_VERDICTS.indexOf(verdict)), 0),
      }
    })
    using counters = createPercpuArray('hl_counters', ENTRY_COUNTER_BYTES * entries.length, 1)
    requireMapRoom(fuseEntries, counters)
    using program = loadXdpProgram({
      name: 'hl_chain',
      code: fuse(fuseEntries, counters.number).code,
      license: entries.every((entry) => entry.gplCompatible) ? 'GPL' : (entries[0]?.license ?? ''),
      flags: entries.some((entry) => entry.frags) ? PROG_FLAG_FRAGS : 0,
    })
    removeTree(folder) // left over from a build that was cut short
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    pin(counters, join(folder, 'counters'))
    pin(program, join(folder, 'program'))
  } catch (error) {
    removeTree(folder)
    for (const path of newPins) unpin(path)
    throw error
  } finally {
    for (const object of loaded) object.close()
  }
}

/** What one program cannot hold together. */
function requireAlike(entries: readonly EntryImage[]): void {
  const first = entries[0]
  for (const entry of entries) {
    if (entry.gplCompatible !== first?.gplCompatible)
      throw new DomainError(
        'chain_mixed_licenses',
        `${entry.entry} (${entry.license}) and ${first?.entry} (${first?.license}) cannot be one program: only one of them is GPL-compatible`,
      )
    if (entry.frags !== first.frags)
      throw new DomainError(
        'chain_mixed_frags',
        `${entry.entry} and ${first.entry} differ in support for multi-buffer packets (section xdp.frags)`,
      )
  }
}

/** Loads an entry on the state maps that are pinned already; those that are not yet are created and pinned. */
function loadEntry(image: EntryImage, mapsFolder: string, newPins: string[]): LoadedObject {
  const kept = new Map<string, Fd>()
  try {
    for (const map of image.maps) {
      const fd = map.stateKey === undefined ? undefined : openPin(join(mapsFolder, pinName(map.stateKey)))
      if (fd !== undefined) kept.set(map.name, fd)
    }
    const object = loadObject({
      bytes: image.bytes,
      entry: image.entry,
      variables: image.variables,
      reuse: new Map([...kept].map(([name, fd]) => [name, fd.number])),
    })
    try {
      for (const map of image.maps)
        if (map.stateKey !== undefined && !kept.has(map.name))
          pinNewMap(object, map, join(mapsFolder, pinName(map.stateKey)), newPins)
    } catch (error) {
      object.close()
      throw error
    }
    return object
  } finally {
    for (const fd of kept.values()) fd.close()
  }
}

/** Pins a map that was not there, filled before it can be found: half a configuration must never be taken for a whole one. */
function pinNewMap(object: LoadedObject, { name, content }: EntryMap, path: string, newPins: string[]): void {
  const number = object.maps.get(name)
  if (number === undefined) throw new DomainError('map_incompatible', `the object has no map ${name}`)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (content !== undefined) fillMap({ number }, content)
  pin({ number }, path)
  newPins.push(path)
}

/** Counts distinct maps by the kernel's ids: libbpf duplicates descriptors. */
function requireMapRoom(entries: readonly FuseEntry[], counters: OpenFile): void {
  const ids = new Set([mapInfo(counters).id])
  for (const { body } of entries) for (const number of mapFdsOf(body)) ids.add(mapInfo({ number }).id)
  if (ids.size > LIMITS.bpf_maps)
    throw new DomainError(
      'chain_maps',
      `the chain uses ${ids.size} maps, one program can use ${LIMITS.bpf_maps}`,
    )
}
