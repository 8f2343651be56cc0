import { type ChildProcess, execFileSync } from 'node:child_process'
import { createHash, randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Lab, LinkEnd } from './namespaces.ts'

const SOURCES = fileURLToPath(new URL('traffic', import.meta.url))
const BUILD = fileURLToPath(new URL('../../build/lab', import.meta.url))
const CFLAGS = ['-O2', '-D_GNU_SOURCE', '-std=gnu11', '-Wall', '-Wextra', '-Werror']

/** Two cores hold this with a chain attached and other work going on; the tool itself reaches about 400,000. */
const DEFAULT_RATE_PPS = 10_000
const DEFAULT_SECONDS = 60
const RECEIVE_BUFFER_BYTES = 64 << 20
/** From starting the program to its first line. */
const READY_MS = 10_000
/**
 * No host's MAC. The receiver's IP stack lets such packets go at once, where it would otherwise look for a route for
 * each; XDP and the packet socket see them all the same. Saves a third of the cost of a packet.
 */
export const NO_HOST_MAC = '02:68:6c:ff:ff:ff'
/** Addresses for benchmarks (RFC 2544 appendix C.2.2, RFC 5180 section 8) that no lab gives to a host. */
export const NO_HOST = { ipv4: '198.19.0.1', ipv6: '2001:2:0:ffff::1' }

/** `good`: valid UDP of several sources. `bogus`: what hookline/scrub drops. `flood`: valid UDP of one source. */
const CLASSES = ['good', 'bogus', 'flood'] as const
export type TrafficClass = (typeof CLASSES)[number]

const Count = z.int().min(0)
const perClass = <T extends z.ZodType>(schema: T) =>
  z.strictObject({ good: schema, bogus: schema, flood: schema })

const Ready = z.strictObject({ kind: z.literal('ready') })

const SendState = {
  elapsed_ms: Count,
  /** Packets that the interface took. */
  sent: perClass(Count),
  /** Batches that it refused for want of room (its txDropped counts at least as many); they were offered again. */
  refused: Count,
}
const SendProgress = z.strictObject({ kind: z.literal('progress'), ...SendState })
/** What a sender has sent so far. */
export type SendProgress = z.infer<typeof SendProgress>
const SendReport = z.strictObject({ kind: z.literal('report'), ...SendState })
/** What a sender has sent in all. */
export type SendReport = z.infer<typeof SendReport>
const SendLine = z.discriminatedUnion('kind', [Ready, SendProgress, SendReport])

const Arrivals = { received: Count, distinct: Count, duplicates: Count }
const ReceiveState = {
  elapsed_ms: Count,
  /** Packets of others, such as neighbour discovery. */
  foreign: Count,
  /** Packets that reached the socket when its buffer was full. */
  socketDrops: Count,
}
const ReceiveProgress = z.strictObject({
  kind: z.literal('progress'),
  ...ReceiveState,
  classes: perClass(z.strictObject(Arrivals)),
})
/** What a receiver has seen so far. */
export type ReceiveProgress = z.infer<typeof ReceiveProgress>
const ReceiveReport = z.strictObject({
  kind: z.literal('report'),
  ...ReceiveState,
  classes: perClass(
    z.strictObject({
      ...Arrivals,
      /** Received with a sequence number of 2^30 or more, so not told apart. */
      beyond: Count,
      /** Since the receiver's start; 0 when none came. */
      first_ms: Count,
      last_ms: Count,
      /** The first gaps below the highest sequence number received, both ends included. */
      missing: z.array(z.tuple([Count, Count])),
    }),
  ),
})
/** What a receiver has seen in all. */
export type ReceiveReport = z.infer<typeof ReceiveReport>
const ReceiveLine = z.discriminatedUnion('kind', [Ready, ReceiveProgress, ReceiveReport])

/** A running sender or receiver. */
export interface Running<Report> {
  readonly pid: number
  /** Settles at the end; rejects with what the program said when it fails. */
  readonly done: Promise<Report>
  /** Asks for the end, and gives what `done` gives. */
  stop(): Promise<Report>
}

/** What {@link startSender} sends. */
export interface SendOptions {
  readonly lab: Lab
  readonly from: LinkEnd
  /** The receiver's number, so that it knows these packets. */
  readonly run: number
  /** Weights of the classes. */
  readonly mix: Partial<Record<TrafficClass, number>>
  /** Packets/s of all classes together. Default 10,000. */
  readonly rate_pps?: number
  /** Packets of all classes together. Default unbounded. */
  readonly count?: number
  /** The end in any case. Default 60. */
  readonly seconds?: number
  /** Sources of good packets: so many IPv4 addresses and so many IPv6 /64s, at most 200. Default 8. */
  readonly sources?: number
  /** Bytes of a frame, 128 (default) to 1514, even. */
  readonly frameBytes?: number
  /** Defaults to addresses of no host. */
  readonly to?: { readonly mac?: string; readonly ipv4?: string; readonly ipv6?: string }
  /** Called each second. */
  readonly onProgress?: (progress: SendProgress) => void
}

/** How {@link startReceiver} listens. */
export interface ReceiveOptions {
  readonly lab: Lab
  readonly at: LinkEnd
  /** {@link newRun}. */
  readonly run: number
  /** The end in any case. Default 60. */
  readonly seconds?: number
  /** Ends by itself after so many seconds without a packet of the run. Default never. */
  readonly idleSeconds?: number
  readonly bufferBytes?: number
  /** Called each second. */
  readonly onProgress?: (progress: ReceiveProgress) => void
}

/** A number that tells the packets of one run from those of another. */
export const newRun = (): number => randomInt(1, 2 ** 32)

/** The traffic tool's executable, compiled when its sources have changed. Throws with clang's output. */
function buildTraffic(): string {
  const names = readdirSync(SOURCES).sort()
  const hash = createHash('sha256').update(CFLAGS.join(' '))
  for (const name of names) hash.update(name).update(readFileSync(join(SOURCES, name)))
  const path = join(BUILD, `traffic-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(path)) return path
  mkdirSync(BUILD, { recursive: true })
  const partial = `${path}.${process.pid}`
  try {
    const sources = names.filter((name) => name.endsWith('.c')).map((name) => join(SOURCES, name))
    execFileSync('clang', [...CFLAGS, ...sources, '-o', partial], { stdio: 'pipe' })
    renameSync(partial, path) // whole or not at all: others may be building too
  } finally {
    rmSync(partial, { force: true })
  }
  return path
}

/** Starts to send. Resolves when the first packet is about to leave; rejects with what the tool said when it cannot start. */
export async function startSender(options: SendOptions): Promise<Running<SendReport>> {
  const { lab, from, run, mix, to = {} } = options
  const args = [
    ...['send', '--interface', from.interface, '--run', `${run}`],
    ...['--source-mac', from.mac, '--destination-mac', to.mac ?? NO_HOST_MAC],
    ...['--ipv4', to.ipv4 ?? NO_HOST.ipv4, '--ipv6', to.ipv6 ?? NO_HOST.ipv6],
    ...[
      '--rate',
      `${options.rate_pps ?? DEFAULT_RATE_PPS}`,
      '--seconds',
      `${options.seconds ?? DEFAULT_SECONDS}`,
    ],
    ...CLASSES.flatMap((name) => [`--${name}`, `${mix[name] ?? 0}`]),
    ...(options.count === undefined ? [] : ['--count', `${options.count}`]),
    ...(options.sources === undefined ? [] : ['--sources', `${options.sources}`]),
    ...(options.frameBytes === undefined ? [] : ['--frame-bytes', `${options.frameBytes}`]),
    ...(options.onProgress === undefined ? [] : ['--live']),
  ]
  const child = lab.spawn(from.namespace, buildTraffic(), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  return await running(child, (text) => SendLine.parse(JSON.parse(text)), options.onProgress)
}

/** Starts to receive. Resolves when no packet can be missed any more; rejects with what the tool said when it cannot start. */
export async function startReceiver(options: ReceiveOptions): Promise<Running<ReceiveReport>> {
  const { lab, at, run } = options
  const args = [
    ...['receive', '--interface', at.interface, '--run', `${run}`],
    ...['--seconds', `${options.seconds ?? DEFAULT_SECONDS}`],
    ...['--buffer-bytes', `${options.bufferBytes ?? RECEIVE_BUFFER_BYTES}`],
    ...(options.idleSeconds === undefined ? [] : ['--idle', `${options.idleSeconds}`]),
    ...(options.onProgress === undefined ? [] : ['--live']),
  ]
  const child = lab.spawn(at.namespace, buildTraffic(), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  return await running(child, (text) => ReceiveLine.parse(JSON.parse(text)), options.onProgress)
}

/** Packets of each class that were sent and did not arrive: dropped on purpose by a chain, or lost. */
export const notReceived = (sent: SendReport, received: ReceiveReport): Record<TrafficClass, number> => ({
  good: sent.sent.good - received.classes.good.distinct,
  bogus: sent.sent.bogus - received.classes.bogus.distinct,
  flood: sent.sent.flood - received.classes.flood.distinct,
})

type Line = { kind: 'ready' } | { kind: 'progress' } | { kind: 'report' }

/** Follows the tool's lines until its report; resolves at its "ready". */
async function running<L extends Line>(
  child: ChildProcess,
  parse: (text: string) => L,
  onProgress: ((progress: Extract<L, { kind: 'progress' }>) => void) | undefined,
): Promise<Running<Extract<L, { kind: 'report' }>>> {
  const ready = Promise.withResolvers<void>()
  const done = Promise.withResolvers<Extract<L, { kind: 'report' }>>()
  const fail = (why: Error): void => {
    ready.reject(why)
    done.reject(why)
  }
  done.promise.catch(() => {}) // whoever never looks at the end is not ended by it
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  if (child.stdout === null) throw new Error('the traffic tool needs a pipe for its output')
  createInterface({ input: child.stdout }).on('line', (text) => {
    try {
      const line = parse(text)
      if (is(line, 'ready')) ready.resolve()
      else if (is(line, 'progress')) onProgress?.(line)
      else if (is(line, 'report')) done.resolve(line)
    } catch (cause) {
      fail(new Error(`the traffic tool printed what it should not: ${text}`, { cause }))
    }
  })
  child.once('error', fail)
  // comes after the last line; a promise that is settled already stays as it is
  child.once('close', (code, signal) =>
    fail(new Error(`the traffic tool ended by ${signal ?? code}: ${said.trim()}`)),
  )
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    fail(new Error('the traffic tool did not start in time'))
  }, READY_MS)
  await ready.promise.finally(() => clearTimeout(timer))
  const stop = (): Promise<Extract<L, { kind: 'report' }>> => {
    child.kill('SIGTERM')
    return done.promise
  }
  return { pid: child.pid ?? -1, done: done.promise, stop }
}

const is = <L extends Line, K extends Line['kind']>(line: L, kind: K): line is Extract<L, { kind: K }> =>
  line.kind === kind
