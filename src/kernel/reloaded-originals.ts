import { join } from 'node:path'
import type { EntryImage } from '../ports/chain-kernel.ts'
import { mapInfo } from './bpf-info.ts'
import { openPin, pinName } from './bpffs.ts'
import type { Fd } from './fd.ts'
import type { Loader } from './loader.ts'
import { describeOriginal, dropOriginal, type Original, originalKey, requestOf } from './originals.ts'

/** The entries of a chain as they were loaded once more, until it is disposed of. */
export interface ReloadedOriginals extends Disposable {
  readonly parts: readonly Original[]
  /** State maps that should be pinned and are not, by name. */
  readonly unpinned: readonly string[]
  /** Ids of the maps that belong to one generation, and were made for this load: constants, arrays of programs. */
  readonly own: ReadonlySet<number>
}

/**
 * Loads entries once more as for a build, on the state maps that are pinned, and pins nothing: libbpf alone knows the
 * instructions that an object becomes on this kernel (CO-RE), and the verifier alone how much stack they use. Throws what
 * the loader does, `chain_instruction`.
 */
export async function reloadOriginals(
  loader: Loader,
  mapsFolder: string,
  images: readonly EntryImage[],
): Promise<ReloadedOriginals> {
  using open = new DisposableStack()
  const parts: Original[] = []
  const known = new Map<string, Original>()
  const [unpinned, own] = [new Set<string>(), new Set<number>()]
  for (const image of images) {
    if (image.builtin === 'drop') {
      parts.push(dropOriginal(image))
      continue
    }
    const again = known.get(originalKey(image))
    if (again !== undefined) {
      parts.push(again)
      continue
    }
    using kept = new DisposableStack()
    const maps = new Map<string, Fd>()
    const states = new Set<string>()
    for (const { name, stateKey } of image.maps) {
      if (stateKey === undefined) continue
      states.add(name)
      const pinned = openPin(join(mapsFolder, pinName(stateKey)))
      if (pinned === undefined) unpinned.add(name)
      else maps.set(name, kept.use(pinned))
    }
    const loaded = await loader.original(requestOf(image, maps))
    open.defer(() => loaded.close())
    for (const [name, map] of loaded.maps) if (!states.has(name)) own.add(mapInfo(map).id)
    const original = describeOriginal(image, loaded)
    known.set(originalKey(image), original)
    parts.push(original)
  }
  const held = open.move()
  return { parts, unpinned: [...unpinned], own, [Symbol.dispose]: () => held.dispose() }
}
