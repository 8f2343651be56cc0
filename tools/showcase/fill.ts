import { signRelease } from '../../src/attest/sign-release.ts'
import { releaseForm } from '../../test/http/release-builder.ts'
import type { RunningRegistry } from '../../test/http/running-registry.ts'
import { readCatalog, type ShowcaseNamespace, type ShowcaseProgram, type ShowcaseVersion } from './catalog.ts'
import { giveDates } from './dates.ts'
import { addFleet } from './fleet.ts'
import { keyOf } from './keys.ts'
import { addPeople, done, type People } from './people.ts'
import { releaseMaker, type ShowcaseRelease } from './releases.ts'

/** The time at which the showcase is looked at. */
export const SHOWN_AT = new Date('2026-11-16T09:30:00.000Z')

/** What is in the registry now. */
export interface Showcase {
  /** Tokens by the names of accounts. */
  readonly people: People
  /** Releases by `namespace/name@version`. */
  readonly releases: ReadonlyMap<string, ShowcaseRelease>
  /** Ids of nodes by their names. */
  readonly nodes: ReadonlyMap<string, string>
}

/** A release in turn. */
interface Turn {
  readonly namespace: ShowcaseNamespace
  readonly program: ShowcaseProgram
  readonly version: ShowcaseVersion
}

/**
 * Fills an empty registry through its interface with a catalog that reads like a real one, and a fleet that runs some of it; then
 * gives everything dates before {@link SHOWN_AT}. Throws when the registry refuses any of it.
 */
export async function fillRegistry(registry: RunningRegistry): Promise<Showcase> {
  const namespaces = readCatalog()
  const people = await addPeople(registry, namespaces)
  const make = releaseMaker()
  const turns: Turn[] = namespaces
    .flatMap((namespace) =>
      namespace.programs.flatMap((program) =>
        program.versions.map((version) => ({ namespace, program, version })),
      ),
    )
    .sort((a, b) => b.version.daysAgo - a.version.daysAgo)
  const releases = new Map<string, ShowcaseRelease>()
  for (const turn of turns) {
    const release = make(turn.namespace, turn.program, turn.version)
    await publish(registry, people, turn, release)
    releases.set(`${release.manifest.name}@${release.manifest.version}`, release)
  }
  for (const namespace of namespaces)
    for (const program of namespace.programs) await settle(registry, people, namespace, program)
  const nodes = await addFleet(registry, people, releases, SHOWN_AT)
  await giveDates(registry.database.prisma, namespaces, SHOWN_AT)
  return { people, releases, nodes }
}

async function publish(
  registry: RunningRegistry,
  people: People,
  { namespace: { namespace, owner }, program }: Turn,
  { manifest, files }: ShowcaseRelease,
): Promise<void> {
  const subject = { program: manifest.name, version: manifest.version, files }
  const form = releaseForm({ files, bundle: await signRelease(subject, keyOf(namespace)) })
  const token = people.get(owner)
  const path = `/api/v1/releases${program.private ? '?visibility=private' : ''}`
  done(await registry.call('POST', path, { token, form }), `publishing ${manifest.name}@${manifest.version}`)
}

/** What became of a program after it was published: yanked, deprecated, channels. */
async function settle(
  registry: RunningRegistry,
  people: People,
  { namespace, owner }: ShowcaseNamespace,
  { name, versions, deprecated, channels }: ShowcaseProgram,
): Promise<void> {
  const of = `/api/v1/programs/${namespace}/${name}`
  const put = async (path: string, body: object): Promise<void> => {
    done(await registry.call('PUT', of + path, { token: people.get(owner), body }), `PUT ${of}${path}`)
  }
  for (const { version, yanked, deprecated } of versions) {
    if (yanked !== undefined) await put(`/versions/${version}/yank`, { message: yanked })
    if (deprecated !== undefined) await put(`/versions/${version}/deprecation`, { message: deprecated })
  }
  if (deprecated !== undefined) await put('/deprecation', { message: deprecated })
  for (const [channel, version] of Object.entries(channels)) await put(`/channels/${channel}`, { version })
}
