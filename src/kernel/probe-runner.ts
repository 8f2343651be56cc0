import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { type CheckName, Finding, HostInterface } from '../domain/host-check.ts'
import { LIMITS } from '../domain/limits.ts'

/** What a process that probes is told, as one JSON argument. */
export const ProbeOrder = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('checks'), checks: z.array(Finding.shape.check), bpffs: z.string() }),
  z.strictObject({ ask: z.literal('interfaces'), netns: z.string().optional() }),
])
export type ProbeOrder = z.infer<typeof ProbeOrder>

/** The program that probes, with its arguments: it takes a {@link ProbeOrder} as one more, and answers in lines of JSON. */
export type Prober = readonly [command: string, ...args: string[]]

/** How a process that probes ended. */
type Ending = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly why: string }

/**
 * Probes each check in a process of its own that ends afterwards. One that dies, hangs for more than `limit_ms` or answers
 * nonsense leaves its check `unknown`; the others go on in a new process. Nothing is thrown for what a host lacks.
 */
export async function runProbes(
  prober: Prober,
  checks: readonly CheckName[],
  bpffs: string,
  limit_ms: number = LIMITS.probe_ms,
): Promise<Finding[]> {
  const findings: Finding[] = []
  while (findings.length < checks.length) {
    const rest = checks.slice(findings.length)
    const ending = await follow(prober, { ask: 'checks', checks: rest, bpffs }, limit_ms, (answer) => {
      const finding = Finding.parse(answer)
      if (finding.check !== checks[findings.length]) throw new Error('another check was answered')
      findings.push(finding)
    })
    const next = checks[findings.length]
    if (next === undefined) break
    const why = ending.kind === 'failed' ? ending.why : 'its process gave no answer'
    findings.push({ check: next, result: 'unknown', detail: why })
  }
  return findings
}

/** An answer to `interfaces`. */
const InterfacesAnswer = z.union([
  z.strictObject({ interfaces: z.array(HostInterface) }),
  z.strictObject({ refused: z.enum(['not_found', 'kernel_refused']), message: z.string() }),
])
export type InterfacesAnswer = z.infer<typeof InterfacesAnswer>

/**
 * The interfaces of a network namespace, by the name that `ip netns` gave it, told by a process of its own.
 * Throws `not_found`, `kernel_refused`.
 */
export async function askInterfaces(
  prober: Prober,
  netns: string | undefined,
  limit_ms: number = LIMITS.probe_ms,
): Promise<HostInterface[]> {
  const order: ProbeOrder = { ask: 'interfaces', ...(netns === undefined ? {} : { netns }) }
  const answers: InterfacesAnswer[] = []
  const ending = await follow(prober, order, limit_ms, (answer) => {
    answers.push(InterfacesAnswer.parse(answer))
  })
  const [answer] = answers
  if (answer === undefined)
    throw new DomainError(
      'kernel_refused',
      `the interfaces cannot be listed: ${ending.kind === 'failed' ? ending.why : 'no answer'}`,
    )
  if ('refused' in answer) throw new DomainError(answer.refused, answer.message)
  return answer.interfaces
}

/** Runs one process and hands on each line of its answer. Ends it when it answers nonsense or nothing for too long. */
async function follow(
  [command, ...args]: Prober,
  order: ProbeOrder,
  limit_ms: number,
  take: (answer: unknown) => void,
): Promise<Ending> {
  const child = spawn(command, [...args, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'ignore'] })
  return new Promise((resolve) => {
    const end = (ending: Ending): void => {
      clearTimeout(timer)
      if (ending.kind === 'failed') abandon(child)
      resolve(ending)
    }
    const tooLong = (): void => end({ kind: 'failed', why: `no answer within ${limit_ms} ms` })
    let timer = setTimeout(tooLong, limit_ms)
    let failure: string | undefined
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (failure !== undefined) return
      clearTimeout(timer)
      timer = setTimeout(tooLong, limit_ms)
      try {
        take(JSON.parse(line))
      } catch {
        failure = 'its process answered nonsense'
        end({ kind: 'failed', why: failure })
      }
    })
    child.once('error', (error) =>
      end({ kind: 'failed', why: `its process did not start: ${error.message}` }),
    )
    child.once('close', (code, signal) => {
      if (code === 0) end({ kind: 'done' })
      else end({ kind: 'failed', why: `its process ended with ${signal ?? `code ${code}`}` })
    })
  })
}

/** Ends a process and does not wait for it: one that hangs within the kernel ends only when that lets go. */
function abandon(child: ChildProcess): void {
  child.kill('SIGKILL')
  child.stdout?.destroy()
  child.unref()
}
