import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'
import { signRequest } from '../../src/attest/http-signature.ts'
import { FunctionSpec, Labels } from '../../src/domain/function.ts'
import { Enrolled, ErrorView, type NodeFacts, ObservedFunction } from '../../src/domain/node.ts'
import type { PrismaClient } from '../../src/store/generated/client.ts'
import {
  applyOrder,
  deleteFunction,
  enrol,
  joinToken,
  putFunction,
  removeOrder,
} from '../../test/http/enrolled-node.ts'
import { addKey } from '../../test/http/release-builder.ts'
import type { RunningRegistry } from '../../test/http/running-registry.ts'
import { keyOf } from './keys.ts'
import { done, OPERATOR, type People } from './people.ts'
import type { ShowcaseRelease } from './releases.ts'
import { type Running, reportOf } from './reports.ts'

const { selector, interfaces, instances } = FunctionSpec.shape

const Step = z.union([
  z.strictObject({ daysAgo: z.int(), removed: z.literal(true) }),
  z.strictObject({
    daysAgo: z.int(),
    ...{ selector, interfaces, instances },
    priority: z.int().default(100),
  }),
])

const Fleet = z.strictObject({
  nodes: z.array(
    z.strictObject({
      name: z.string(),
      labels: Labels,
      kernel: z.string(),
      arch: z.string().default('x64'),
      /** Seconds since its newest report; a node without one has never reported. */
      heardAgo_s: z.number().optional(),
    }),
  ),
  functions: z.record(z.string(), z.array(Step)),
  troubles: z.array(
    z.strictObject({
      node: z.string(),
      function: z.string(),
      state: ObservedFunction.shape.state,
      error: ErrorView,
    }),
  ),
})
type Fleet = z.infer<typeof Fleet>

const AGENT = '0.1.0'

/** Orders and nodes: the nodes join and report by their own protocol, with what the orders of now would run on them. Ids of nodes by name. */
export async function addFleet(
  registry: RunningRegistry,
  people: People,
  releases: ReadonlyMap<string, ShowcaseRelease>,
  now: Date,
): Promise<ReadonlyMap<string, string>> {
  const fleet = Fleet.parse(parse(readFileSync(new URL('fleet.yaml', import.meta.url), 'utf8')))
  const running = await addFunctions(registry, people, fleet)
  const nodes = new Map<string, string>()
  for (const { name, labels, kernel, arch, heardAgo_s } of fleet.nodes) {
    const facts: NodeFacts = { ...{ name, labels, kernel, arch, agent: AGENT } }
    const key = keyOf(`node ${name}`)
    const joined = done(await enrol(registry, await joinToken(registry), key, facts), `joining ${name}`)
    const { id } = Enrolled.parse(joined.json)
    nodes.set(name, id)
    if (heardAgo_s === undefined) continue
    const at = new Date(now.getTime() - heardAgo_s * 1000)
    const troubles = fleet.troubles.filter((trouble) => trouble.node === name)
    const body = Buffer.from(
      JSON.stringify(reportOf({ name, labels, agent: AGENT }, running, troubles, releases, at)),
    )
    const path = `/api/v1/nodes/${id}/observed`
    const headers = {
      ...signRequest({ method: 'PUT', path, body, keyId: id }, key),
      'content-type': 'application/json',
    }
    done(await registry.call('PUT', path, { body, headers }), `report of ${name}`)
  }
  await dateFleet(registry.database.prisma, fleet, now)
  return nodes
}

/** Sends every order in turn, and gives what is in force in the end. */
async function addFunctions(registry: RunningRegistry, people: People, fleet: Fleet): Promise<Running[]> {
  const operator = keyOf('operator')
  done(await addKey(registry, '/api/v1/operators/keys', operator), 'adding the operator’s key')
  const running: Running[] = []
  for (const [name, steps] of Object.entries(fleet.functions))
    for (const [at, step] of steps.entries()) {
      const revision = at + 1
      if ('removed' in step) {
        done(await deleteFunction(registry, name, removeOrder(name, revision, operator)), `removing ${name}`)
        continue
      }
      const { daysAgo: _, ...spec } = step
      const order = applyOrder(name, revision, operator, spec)
      done(await putFunction(registry, name, order, people.get(OPERATOR)), `applying ${name}`)
      if (at === steps.length - 1)
        running.push({ revision, spec: FunctionSpec.parse({ kind: 'function', name, ...spec }) })
    }
  return running
}

/** Dates orders, nodes and reports back; see dates.ts. */
async function dateFleet(prisma: PrismaClient, { functions, nodes }: Fleet, now: Date): Promise<void> {
  const before = (seconds: number): Date => new Date(now.getTime() - seconds * 1000)
  for (const [name, steps] of Object.entries(functions))
    for (const [at, { daysAgo }] of steps.entries()) {
      const appliedAt = before(daysAgo * 86_400 + 4000)
      const of = { name, revision: BigInt(at + 1) }
      await prisma.functionRevision.updateMany({ where: of, data: { appliedAt } })
      await prisma.functionStep.updateMany({ where: of, data: { at: appliedAt } })
    }
  for (const [at, { name, heardAgo_s }] of nodes.entries()) {
    await prisma.node.updateMany({ where: { name }, data: { enrolledAt: before((200 - at * 9) * 86_400) } })
    if (heardAgo_s !== undefined)
      await prisma.nodeObserved.updateMany({
        where: { node: { name } },
        data: { receivedAt: before(heardAgo_s) },
      })
  }
}
