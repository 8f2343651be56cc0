import { seededRandom } from '../fuzz/random.ts'
import { changeBy, FIRST, type Member } from './change.ts'
import { change, entryOf, type HostPlace, openHost } from './host.ts'

/** What a changing process is to do; its only argument, as JSON. */
export interface ChangerTask extends HostPlace {
  readonly seed: number
  /** Which process it is: each makes other changes. */
  readonly stream: number
  /** So many changes, then it ends by itself; none: until it is killed. */
  readonly changes?: number
}

/** What it says: the entries of the chain that it begins to go to, by what makes them what they are; and that it runs. */
export type ChangerWord =
  | { readonly kind: 'begun'; readonly specs: readonly string[] }
  | { readonly kind: 'done'; readonly ms: number }

/** Takes over what runs, then changes it without end: an agent that is about to be killed. */
async function changeOn(task: ChangerTask): Promise<void> {
  const say = (word: ChangerWord): void => void process.send?.(word)
  using host = await openHost(task)
  const random = seededRandom(task.seed, task.stream)
  let [chain, previous]: [readonly Member[], readonly Member[] | undefined] = [FIRST, undefined]
  for (let made = 0; task.changes === undefined || made < task.changes; made++) {
    say({ kind: 'begun', specs: chain.map((member) => entryOf(member, task.hook).record.spec) })
    const start = performance.now()
    await change(host, chain)
    say({ kind: 'done', ms: performance.now() - start })
    const next = changeBy(random, chain, previous)
    previous = chain
    chain = next.chain
  }
  await host.chains.refresh()
  await host.chains.retire()
}

const orphaned = (): never => process.exit(1)
process.on('disconnect', orphaned) // never outlives who started it
await changeOn(JSON.parse(process.argv[2] ?? '{}') as ChangerTask)
process.off('disconnect', orphaned)
process.disconnect()
