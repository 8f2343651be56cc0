import { type HostFacts, type HostReport, type Judgement, judge, obstacles } from '../domain/host-check.ts'
import type { Context, Io, Outcome } from './io.ts'
import { fitsTerminal, renderFields, renderTable } from './table.ts'
import { bold, printable, red } from './terminal.ts'

/** What a host has and lacks to run the agent. Failed when the agent cannot run there. */
export function doctor(report: HostReport, { io }: Context): Outcome {
  const { facts, findings, interfaces, interfacesError } = report
  const checks = findings.map(judge)
  const failed = obstacles(findings).length > 0
  return {
    json: {
      canRun: !failed,
      host: { ...facts, unprivilegedBpfDisabled: facts.unprivilegedBpfDisabled ?? null },
      checks,
      interfaces,
      ...(interfacesError === undefined ? {} : { interfacesError }),
    },
    text: [
      renderHost(facts),
      renderChecks(io, checks),
      renderInterfaces(io, report),
      conclusion(io, report),
    ].join('\n\n'),
    failed,
  }
}

const renderHost = ({ kernel, arch, cores, unprivilegedBpfDisabled }: HostFacts): string =>
  renderFields([
    ['kernel', `${kernel} ${arch}`],
    ['processors', String(cores)],
    ['BPF for everybody', UNPRIVILEGED[String(unprivilegedBpfDisabled)] ?? 'not known'],
  ])

/** Values of kernel.unprivileged_bpf_disabled (Documentation/admin-guide/sysctl/kernel.rst). */
const UNPRIVILEGED: Record<string, string> = {
  0: 'yes: users without rights may load programs; the agent needs no such thing',
  1: 'no, until the next boot',
  2: 'no',
}

/** All checks, a line each, and below them in full what is not as it should be. */
function renderChecks(io: Io, checks: readonly Judgement[]): string {
  const rows = checks.map(({ title, result, detail, agent }) => [title, result, detail, agent])
  const troubles = [
    ...checks.filter(({ result }) => result === 'limited' || result === 'missing').map(trouble(io)),
    ...untried(checks.filter(({ result }) => result === 'unknown')),
  ]
  const head = ['check', 'result', 'detail', 'for the agent']
  // a column that would be cut away says more below, of those checks that have something to say
  const shown = fitsTerminal(io, head, rows) ? 4 : 3
  const table = renderTable(
    io,
    head.slice(0, shown),
    rows.map((row) => row.slice(0, shown)),
  )
  return troubles.length === 0 ? table : [table, '', ...troubles].join('\n')
}

const trouble =
  (io: Io) =>
  ({ title, result, detail, agent, remedy, required }: Judgement): string => {
    const head = `${title}: ${result}`
    const shown = required && result === 'missing' ? red(io, head) : bold(io, head)
    return [`${shown}: ${printable(detail)}`, `  ${agent}`, `  remedy: ${remedy}`].join('\n')
  }

/** What could not be tried, together where the same remedy helps. */
const untried = (checks: readonly Judgement[]): string[] =>
  [...Map.groupBy(checks, ({ remedy }) => remedy)].map(
    ([remedy, group]) => `not tried: ${group.map(({ title }) => title).join(', ')}\n  remedy: ${remedy}`,
  )

function renderInterfaces(io: Io, { interfaces, interfacesError }: HostReport): string {
  if (interfacesError !== undefined) return `interfaces: ${printable(interfacesError)}`
  if (interfaces.length === 0) return 'no interfaces but the loopback'
  const rows = interfaces.map(({ name, driver, nativeXdp, mtu, defaultRoute }) => [
    name,
    driver === '' ? 'unknown' : driver,
    nativeXdp,
    String(mtu),
    defaultRoute ? 'yes: taken only when named exactly' : 'no',
  ])
  return renderTable(io, ['interface', 'driver', 'native XDP', 'MTU', 'default route'], rows)
}

function conclusion(io: Io, { findings }: HostReport): string {
  const standing = obstacles(findings)
  const missing = standing.filter(({ result }) => result === 'missing').map(({ title }) => title)
  if (missing.length > 0) return `${red(io, 'the agent cannot run here')}: it needs ${missing.join(', ')}`
  const unknown = standing.map(({ title }) => title)
  return unknown.length > 0
    ? `${red(io, 'whether the agent can run here is not known')}: not tried: ${unknown.join(', ')}`
    : 'the agent can run here'
}
