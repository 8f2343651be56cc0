import { describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/run.ts'
import {
  CHECK_NAMES,
  CHECKS,
  type CheckName,
  type Finding,
  type HostReport,
} from '../../src/domain/host-check.ts'
import { memoryIo } from './hookline.ts'

const eth0 = {
  name: 'eth0',
  ifindex: 2,
  driver: 'ixgbe',
  mtu: 9000,
  nativeXdp: 'yes' as const,
  defaultRoute: true,
}
const facts = { kernel: '6.1.0-18-amd64', arch: 'x64', cores: 8, unprivilegedBpfDisabled: 2 }
/** A host where every probe went well but those given. */
const host = (different: Partial<Record<CheckName, Finding['result']>> = {}): HostReport => ({
  facts,
  findings: CHECK_NAMES.map((check) => ({
    check,
    result: different[check] ?? 'ok',
    detail: `about ${check}`,
  })),
  interfaces: [eth0],
})

const run = (report: HostReport, ...args: string[]) => runOn(memoryIo(), report, ...args)
async function runOn(
  io: ReturnType<typeof memoryIo>,
  report: HostReport,
  ...args: string[]
): Promise<{ code: number; out: string }> {
  const notHere = (): Promise<never> => Promise.reject(new Error('not here'))
  const services = {
    serve: notHere,
    witness: notHere,
    agent: notHere,
    doctor: async () => report,
    verifyRunning: notHere,
  }
  const code = await runCli(['doctor', ...args], io, services, '1.2.3')
  expect(io.err).toBe('')
  return { code, out: io.out }
}
const line = (text: string, start: string): string =>
  text.split('\n').find((candidate) => candidate.startsWith(start)) ?? ''
const required = CHECK_NAMES.filter((name) => 'required' in CHECKS[name])
const optional = CHECK_NAMES.filter((name) => !('required' in CHECKS[name]))

describe('doctor', () => {
  test('of a host that has all says so, with every check and what the agent does with it', async () => {
    const { code, out } = await run(host())
    expect(code).toBe(0)
    for (const name of CHECK_NAMES)
      expect(line(out, CHECKS[name].title)).toMatch(
        new RegExp(`ok +about ${name} +${CHECKS[name].ok.slice(0, 20)}`),
      )
    expect(out.endsWith('\n\nthe agent can run here\n')).toBe(true)
    expect(out).not.toContain('remedy:')
    expect(line(out, 'kernel ')).toBe('kernel             6.1.0-18-amd64 x64')
    expect(line(out, 'eth0')).toBe('eth0       ixgbe   yes         9000  yes: taken only when named exactly')
  })

  test('on a narrow terminal shows details whole, and what they mean where something is amiss', async () => {
    const { out } = await runOn(memoryIo({ columns: 80, env: { NO_COLOR: '1' } }), host({ tcx: 'missing' }))
    expect(line(out, CHECKS.jit.title)).toMatch(/ok +about jit$/)
    expect(out).toContain(`\n  ${CHECKS.tcx.missing}\n`)
    expect(out).not.toContain('for the agent')
  })

  test('requires what the agent cannot do without, and nothing else', () =>
    expect(required).toEqual(['privileges', 'libbpf', 'bpffs', 'xdp-load', 'xdp-link', 'link-update']))

  test.each(required)('fails where %s is missing, and says what to do', async (name) => {
    const { code, out } = await run(host({ [name]: 'missing' }))
    expect(code).toBe(1)
    expect(out).toContain(`\n${CHECKS[name].title}: missing: about ${name}\n`)
    expect(out).toContain(`\n  remedy: ${CHECKS[name].remedy}\n`)
    expect(out.trimEnd().endsWith(`the agent cannot run here: it needs ${CHECKS[name].title}`)).toBe(true)
  })

  test.each(required)('fails where %s could not be tried', async (name) => {
    const { code, out } = await run(host({ [name]: 'unknown' }))
    expect(code).toBe(1)
    expect(out).toContain(`whether the agent can run here is not known: not tried: ${CHECKS[name].title}`)
  })

  test.each(optional.flatMap((name) => [[name, 'missing'] as const, [name, 'unknown'] as const]))(
    'does not fail where %s is %s',
    async (name, result) => {
      const { code, out } = await run(host({ [name]: result }))
      expect(code).toBe(0)
      expect(line(out, CHECKS[name].title)).toContain(result)
      expect(out.trimEnd().endsWith('the agent can run here')).toBe(true)
    },
  )

  test('does not fail where the agent can mend or do with less', async () => {
    const { code, out } = await run(host({ bpffs: 'limited', jit: 'limited', memory: 'limited' }))
    expect(code).toBe(0)
    expect(out).toContain('BPF file system: limited: about bpffs\n  the agent mounts it when it starts\n')
    expect(out).toContain('chains are interpreted, several times slower\n  remedy: switch it on')
  })

  test('names what is missing, not what could therefore not be tried, and groups that by its remedy', async () => {
    const { code, out } = await run(
      host({ privileges: 'missing', 'xdp-load': 'unknown', tcx: 'unknown', lockdown: 'unknown' }),
    )
    expect(code).toBe(1)
    expect(out).toContain('not tried: XDP programs, TC by TCX\n  remedy: run `hookline doctor` as root')
    expect(out).toContain('not tried: kernel lockdown\n  remedy: to see it: mount')
    expect(out.trimEnd().endsWith('the agent cannot run here: it needs root and capabilities')).toBe(true)
  })

  test.each([
    ['tcx', 'TC chains are filters of clsact'],
    ['clsact', 'TC chains can be had by TCX only'],
    ['btf', 'releases that need CO-RE or ask for `btf` are refused'],
    ['membarrier', 'an old chain is let go after a pause only'],
  ] as const)('without %s says that %s', async (name, text) => {
    expect((await run(host({ [name]: 'missing' }))).out).toContain(`\n  ${text}\n`)
  })

  test('prints all of it as one document with --json, with the same exit code', async () => {
    const { code, out } = await run(host({ libbpf: 'missing', tcx: 'missing' }), '--json')
    expect(code).toBe(1)
    const answer = JSON.parse(out)
    expect(answer).toMatchObject({ canRun: false, host: facts, interfaces: [eth0] })
    expect(answer.checks).toHaveLength(CHECK_NAMES.length)
    expect(answer.checks[CHECK_NAMES.indexOf('tcx')]).toEqual({
      check: 'tcx',
      title: 'TC by TCX',
      required: false,
      result: 'missing',
      detail: 'about tcx',
      agent: CHECKS.tcx.missing,
      remedy: CHECKS.tcx.remedy,
    })
    const fit = await run(host(), '--json')
    expect([fit.code, JSON.parse(fit.out).canRun]).toEqual([0, true])
  })

  test('tells why there are no interfaces, and prints no command to the terminal', async () => {
    const { code, out } = await run({ ...host(), interfaces: [], interfacesError: 'EPERM\u001b[2J' })
    expect(code).toBe(0)
    expect(out).toContain('\ninterfaces: EPERM\\u{1b}[2J\n')
    expect((await run({ ...host(), interfaces: [] })).out).toContain('no interfaces but the loopback')
  })

  test('has something to say for every result that its probes give', () => {
    for (const name of CHECK_NAMES) {
      const check = CHECKS[name]
      expect([name, check.ok.length > 0, check.remedy.length > 0]).toEqual([name, true, true])
      expect([name, 'missing' in check || 'limited' in check]).toEqual([name, true])
    }
  })
})
