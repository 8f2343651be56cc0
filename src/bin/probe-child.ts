import { writeSync } from 'node:fs'
import { asDomainError } from '../domain/errors.ts'
import { netnsPath } from '../kernel/netns.ts'
import { describeInterfaces, probeHost } from '../kernel/probe-host.ts'
import { type InterfacesAnswer, ProbeOrder } from '../kernel/probe-runner.ts'

/**
 * The throwaway process of `hookline doctor`: takes a ProbeOrder as its argument, answers in lines of JSON, one a check,
 * and ends. What it attached, and the network namespace where it did, end with it.
 */
const STDOUT = 1
const order = ProbeOrder.parse(JSON.parse(process.argv[2] ?? ''))
/** At once and whole: the next probe may end the process. */
const answer = (value: unknown): void => void writeSync(STDOUT, `${JSON.stringify(value)}\n`)

function interfaces(netns: string | undefined): InterfacesAnswer {
  try {
    return { interfaces: describeInterfaces(netns === undefined ? undefined : netnsPath(netns)) }
  } catch (thrown) {
    const { code, message } = asDomainError(thrown)
    return { refused: code === 'not_found' ? code : 'kernel_refused', message }
  }
}

if (order.ask === 'interfaces') answer(interfaces(order.netns))
else for (const check of order.checks) answer(probeHost(check, order.bpffs))
