/** What is told of many times, in milliseconds. */
export interface Times {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Digits that a time is told with: a microsecond. */
const PLACES = 1000

/** A time to be shown: to the microsecond. */
export const rounded = (ms: number): number => Math.round(ms * PLACES) / PLACES

/** Median, 99th percentile (the nearest rank above) and longest of some times. Throws for none. */
export function timesOf(times_ms: readonly number[]): Times {
  const sorted = times_ms.toSorted((a, b) => a - b)
  const at = (share: number): number => {
    const found = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
    if (found === undefined) throw new Error('nothing was measured')
    return rounded(found)
  }
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

/** Runs `work`, and gives how long it took, in milliseconds. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/**
 * The same for work that does not wait, `rounds` times each after some to warm up. They take turns of {@link TURN} times, so that
 * noise hits all alike and no work is measured with the caches that another left.
 */
export function timedInTurns<Name extends string>(
  works: Readonly<Record<Name, () => unknown>>,
  rounds: number,
): Record<Name, Times> {
  const entries = Object.entries<() => unknown>(works).map(([name, work]) => ({
    ...{ name, work },
    times: [] as number[],
  }))
  for (let round = -TURN; round < rounds; round += TURN)
    for (const { work, times } of entries)
      for (let at = round; at < Math.min(round + TURN, rounds); at++) {
        const start = performance.now()
        work()
        if (round >= 0) times.push(performance.now() - start)
      }
  return Object.fromEntries(entries.map(({ name, times }) => [name, timesOf(times)])) as Record<Name, Times>
}

/** Times that a work is done in a row. */
const TURN = 100

/** Lines of a table for people: what was measured, and its times. */
export function timesTable(rows: readonly (readonly [string, Times])[]): string {
  const line = (name: string, cells: readonly (string | number)[]): string =>
    `${name.padEnd(NAME_CHARS)}${cells.map((cell) => String(cell).padStart(NUMBER_CHARS)).join('')}`
  return [
    line('', ['p50 ms', 'p99 ms', 'max ms', 'times']),
    ...rows.map(([name, { p50Ms, p99Ms, maxMs, count }]) => line(name, [p50Ms, p99Ms, maxMs, count])),
  ].join('\n')
}

const [NAME_CHARS, NUMBER_CHARS] = [44, 11]
