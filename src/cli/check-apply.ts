import type { RegistryClient } from '../client/registry-client.ts'
import { resolveConfig, resolveLists } from '../domain/config.ts'
import { DomainError } from '../domain/errors.ts'
import { type FunctionSpec, instanceName, selects } from '../domain/function.ts'
import { requireItems } from '../domain/list-config.ts'
import { type Manifest, parseManifest } from '../domain/manifest.ts'
import { MANIFEST_FILE, type ProgramId, releaseRef } from '../domain/names.ts'
import { nodeState, overviewOf } from '../domain/node-summary.ts'
import { resolveProceed } from '../domain/proceed.ts'
import type { ReleaseView } from '../domain/release.ts'
import { type Offered, programOf, type ResolvedUse, resolveUses, usesOf } from '../domain/resolution.ts'
import { type BpfObject, readObject } from '../elf/bpf-object.ts'
import { encodeItems } from '../elf/encode-item.ts'
import { fetchFiles, offeredBy } from './fetch-release.ts'

/** Nodes that a function is for, by the labels that the registry knows, of all that are enrolled. */
export interface Reach {
  readonly selected: number
  /** Of the selected those that nothing is heard of: they take the order up when they are back. */
  readonly silent: number
  readonly enrolled: number
}

/** What the ranges of a function resolve to now; a program that does not exist has no release that fits. */
export async function resolutionsOf(
  client: Pick<RegistryClient, 'program'>,
  spec: FunctionSpec,
): Promise<ResolvedUse[]> {
  const uses = usesOf({ kind: 'apply', revision: 1, function: spec })
  const offered = new Map<ProgramId, readonly Offered[]>()
  for (const program of new Set(uses.map(programOf))) offered.set(program, await offeredOf(client, program))
  return resolveUses(uses, offered)
}

const offeredOf = (client: Pick<RegistryClient, 'program'>, program: ProgramId): Promise<Offered[]> =>
  client.program(program).then(offeredBy, (thrown: unknown) => {
    if (thrown instanceof DomainError && thrown.code === 'not_found') return []
    throw thrown
  })

/**
 * Checks each instance by the manifest of the release that its range resolves to: names, types and bounds of its
 * configuration, entries and verdicts of its `proceed`, and that the items of its lists fit the maps that they fill.
 * Nothing is signed on the word of these manifests, so they are not verified here; nodes check again, by verified ones.
 * Throws `invalid_config`, `invalid_function`, and what fetching the manifests throws.
 */
export async function checkInstances(
  client: Pick<RegistryClient, 'release' | 'blob'>,
  spec: FunctionSpec,
  resolutions: readonly ResolvedUse[],
): Promise<void> {
  for (const { use, version } of resolutions) {
    if (version === undefined) continue
    const program = programOf(use)
    const view = await client.release(program, version)
    const files = view.files.filter(({ name }) => name === MANIFEST_FILE)
    const manifest = (await fetchFiles(client, { ...view, files })).files.get(MANIFEST_FILE)
    if (manifest === undefined)
      throw new DomainError('registry_answer', `${releaseRef(program, version)} has no ${MANIFEST_FILE}`)
    const parsed = parseManifest(manifest.toString('utf8'))
    let objects: BpfObject[] | undefined
    for (const instance of spec.instances.filter((candidate) => candidate.use === use))
      try {
        resolveProceed(parsed, instance.proceed)
        resolveConfig(parsed, instance.config)
        for (const [map, { list, items }] of resolveLists(parsed, instance.config)) {
          requireItems(list, items, list.name)
          if (items.length === 0) continue
          objects ??= await objectsOf(client, view, parsed)
          const found = objects.flatMap(({ maps }) => maps.filter(({ name }) => name === map))
          for (const each of found) encodeItems(list, each, items, list.name)
        }
      } catch (cause) {
        if (!(cause instanceof DomainError)) throw cause
        const where = `instance ${instanceName(instance)} by ${releaseRef(program, version)}`
        throw new DomainError(cause.code, `${where}: ${cause.message}`, { cause })
      }
  }
}

/** The objects of a release, for what only the maps of these know: how wide an address is, and which keys are one. */
async function objectsOf(
  client: Pick<RegistryClient, 'blob'>,
  view: ReleaseView,
  { programs }: Manifest,
): Promise<BpfObject[]> {
  const names = new Set(programs.map(({ object }) => object))
  const files = view.files.filter(({ name }) => names.has(name))
  return [...(await fetchFiles(client, { ...view, files })).files.values()].map(readObject)
}

/** How many nodes a function's selector meets. A node obeys its own labels, which may have changed since it joined. */
export async function reachOf(client: Pick<RegistryClient, 'nodes'>, spec: FunctionSpec): Promise<Reach> {
  const nodes = await client.nodes()
  const selected = nodes.filter(({ facts }) => selects(spec.selector, facts.labels))
  const now = new Date()
  const silent = selected.filter((node) => nodeState(overviewOf(node), now).kind === 'silent')
  return { selected: selected.length, silent: silent.length, enrolled: nodes.length }
}
