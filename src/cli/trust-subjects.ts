import { readableKeys } from '../agent/readable-keys.ts'
import type { PublicKey } from '../attest/keys.ts'
import { describeOrder } from '../attest/order.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { type Instance, instanceName, parseFunction } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import type { Desired, Proven } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { AgentStateReader } from '../store/agent-state.ts'
import { resolutionsOf } from './check-apply.ts'
import { readLocalText } from './local-file.ts'

/** A release that a function runs, or would run, and what a node knows of it. */
export interface TrustSubject {
  readonly function: string
  readonly instance: string
  /** Whether it runs by now, as far as is known here. */
  readonly runs: boolean
  readonly emergency: boolean
  /** Undefined where nothing fits the range. */
  readonly descriptor: ReleaseDescriptor | undefined
  readonly use: string
  readonly keys: readonly PublicKey[]
  /** The order by which it runs. */
  readonly envelope: string | undefined
  /** When it was published, by the registry's word; undefined: nodes go by when they saw it. */
  readonly publishedAt: Date | undefined
}

/** What a node runs, by what it last proved, and what it would run next where that is another release. */
export async function subjectsOfState(state: AgentStateReader): Promise<TrustSubject[]> {
  const proven = await state.proven()
  const orders = (await state.acceptedOrders()).filter(({ elsewhere }) => elsewhere === undefined)
  const desired = await state.desired()
  const runs = proven.flatMap((one) =>
    subjectsOf(one.envelope, { ...one, keys: [...one.keys, one.operatorKey] }, true),
  )
  const known = new Set(runs.map(keyOf))
  const next = orders.flatMap(({ envelope, operatorKey }) =>
    desired === undefined
      ? []
      : subjectsOf(envelope, { ...desired, keys: [...desired.keys, operatorKey] }, false),
  )
  return [...runs, ...next.filter((subject) => !known.has(keyOf(subject)))]
}

const keyOf = ({ function: name, instance, descriptor }: TrustSubject): string =>
  JSON.stringify([name, instance, descriptor && releaseRef(descriptor.program, descriptor.version)])

function subjectsOf(
  envelope: string,
  { resolutions, releases, keys }: Pick<Desired | Proven, 'resolutions' | 'releases' | 'keys'>,
  runs: boolean,
): TrustSubject[] {
  const { order } = describeOrder(envelope)
  if (order.kind === 'remove') return []
  return order.function.instances.map((instance) => {
    const { use } = instance
    const version = resolutions.find((one) => one.use === use)?.version
    const descriptor = releases.find((one) => one.program === programOf(use) && one.version === version)
    const about = { function: order.function.name, runs, envelope, publishedAt: undefined }
    return { ...about, ...named(instance), descriptor, keys: readableKeys(keys) }
  })
}

/** What function files would run, by what a registry has for their ranges. */
export async function subjectsOfFiles(
  paths: readonly string[],
  client: RegistryClient,
): Promise<TrustSubject[]> {
  const found: TrustSubject[] = []
  for (const path of paths) {
    const spec = parseFunction(await readLocalText(path, LIMITS.order_bytes, 'function'))
    const resolutions = await resolutionsOf(client, spec)
    for (const instance of spec.instances) {
      const version = resolutions.find(({ use }) => use === instance.use)?.version
      found.push({
        ...{ function: spec.name, ...named(instance), runs: false, envelope: undefined },
        ...(version === undefined
          ? NOTHING_FITS
          : await shownRelease(programOf(instance.use), version, client)),
      })
    }
  }
  return found
}

const NOTHING_FITS = { descriptor: undefined, keys: [], publishedAt: undefined }

/** What a registry shows of a release. */
async function shownRelease(
  program: ProgramId,
  version: string,
  client: RegistryClient,
): Promise<Pick<TrustSubject, 'descriptor' | 'keys' | 'publishedAt'>> {
  const { files, bundle, bundles, publishedAt, ...view } = await client.release(program, version)
  const provenance = view.provenance && (await client.provenance(program, version))
  const keys = (await client.keys(program.split('/')[0] ?? '')).map(({ publicKey }) => publicKey)
  return {
    descriptor: { program, version, files, bundle, bundles, ...(provenance && { provenance }) },
    ...{ keys: readableKeys(keys), publishedAt: new Date(publishedAt) },
  }
}

const named = (instance: Instance) => ({
  ...{ instance: instanceName(instance), use: instance.use },
  emergency: instance.emergency === true,
})
