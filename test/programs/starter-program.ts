import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeScalar, resolveConfig } from '../../src/domain/config.ts'
import { XDP_VERDICTS } from '../../src/domain/hook.ts'
import type { ConfigValue } from '../../src/domain/manifest.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { keysOf, lookupElement, possibleCpus } from '../../src/kernel/bpf-map.ts'
import { testRun } from '../../src/kernel/bpf-program.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { type BuildOptions, type BuiltProgram, buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { loadAlone, loadEntry } from '../kernel/load-entry.ts'

/** Builds a program of the starter catalog into a temporary folder; `remove` deletes it. */
export function buildStarter(
  name: string,
  options: Omit<BuildOptions, 'outDir'> = {},
): BuiltProgram & { remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'hookline-programs-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    return { ...buildProgram(join(PROGRAMS, name), { ...options, outDir: join(folder, name) }), remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** A program in the kernel, not attached to anything. */
export interface StarterProgram extends Disposable {
  readonly fd: Fd
  /** The name of the verdict on a frame. */
  run(frame: Buffer, repeat?: number): string
  /** The slots of a per-cpu array of 64-bit counters, summed over all cpus. */
  counters(map: string): number[]
  /** The keys of a map. */
  keys(map: string, keyBytes: number): Buffer[]
}

/** Loads the one program of a built release, configured as a function would, by its own instructions and no other. */
export function loadStarter(
  { dir, manifest }: BuiltProgram,
  config: Readonly<Record<string, ConfigValue>> = {},
): StarterProgram {
  const [program] = manifest.programs
  if (program === undefined) throw new Error(`${manifest.name} has no program`)
  const bytes = readFileSync(join(dir, program.object))
  const { variables, maps, license } = readObject(bytes)
  const object = loadEntry(bytes, program.entry, {
    variables: resolveConfig(manifest, config).map((value) => {
      const place = variables.find(({ name }) => name === value.variable)
      if (place === undefined) throw new Error(`${program.object} has no variable ${value.variable}`)
      return { section: place.section, offset: place.offset, value: encodeScalar(value) }
    }),
  })
  const loaded = loadAlone(object, { license: license ?? '' })
  const mapFd = (name: string): Fd => {
    const map = object.maps.get(name)
    if (map === undefined) throw new Error(`${program.object} has no map ${name}`)
    return map // closed with the object
  }
  return {
    fd: loaded,
    run: (frame, repeat) => XDP_VERDICTS[testRun(loaded, frame, repeat).verdict] ?? 'other',
    counters: (name) => {
      const slots = maps.find((map) => map.name === name)?.maxEntries ?? 0
      return Array.from({ length: slots }, (_, slot) => sumOfSlot(mapFd(name), slot))
    },
    keys: (name, keyBytes) => [...keysOf(mapFd(name), keyBytes)],
    [Symbol.dispose]: () => {
      loaded.close()
      object.close()
    },
  }
}

function sumOfSlot(map: Fd, slot: number): number {
  const key = Buffer.alloc(4)
  key.writeUInt32LE(slot)
  const values = lookupElement(map, key, 8 * possibleCpus())
  if (values === undefined) throw new Error(`the map has no slot ${slot}`)
  let sum = 0n
  for (let at = 0; at < values.length; at += 8) sum += values.readBigUInt64LE(at)
  return Number(sum)
}
