import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { availableParallelism, release } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { CHECK_NAMES, type CheckName, HostInterface } from '../../src/domain/host-check.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { interfaceIndex } from '../../src/kernel/libc.ts'
import { inNetns, netnsInode } from '../../src/kernel/netns.ts'
import { loadQuestion, verdictProgram } from '../../src/kernel/probe-program.ts'
import { createXdpLink } from '../../src/kernel/xdp-link.ts'
import { Lab, type Namespace } from '../../tools/lab/namespaces.ts'
import { BINARY } from '../cli/hookline.ts'
import { describeAsRoot } from '../support/needs-root.ts'

const Answer = z.object({
  canRun: z.boolean(),
  host: z.object({ kernel: z.string(), cores: z.int(), unprivilegedBpfDisabled: z.int().nullable() }),
  checks: z.array(z.object({ check: z.string(), result: z.string(), detail: z.string() })),
  interfaces: z.array(HostInterface),
  interfacesError: z.string().optional(),
})
interface Examined {
  readonly code: number | null
  readonly answer: z.infer<typeof Answer>
  of(check: CheckName): { result: string; detail: string }
}

/** Runs the real command, below `wrapper` where one is given. */
function doctor(args: string[] = [], wrapper: string[] = [], env: NodeJS.ProcessEnv = process.env): Examined {
  const command = [...wrapper, process.execPath, BINARY, 'doctor', '--json', ...args]
  const run = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8', env })
  expect(run.stderr).toBe('')
  const answer = Answer.parse(JSON.parse(run.stdout))
  expect(answer.checks.map(({ check }) => check)).toEqual(CHECK_NAMES)
  const of = (check: CheckName) => {
    const found = answer.checks.find((candidate) => candidate.check === check)
    return { result: found?.result ?? '', detail: found?.detail ?? '' }
  }
  return { code: run.status, answer, of }
}

/** The command line below which a program sees another file system: `hide` runs as root in a mount namespace of its own. */
const behind = (hide: string): string[] => ['unshare', '--mount', 'sh', '-c', `${hide} && exec "$@"`, 'sh']
/** The command line below which root has one capability less. */
const without = (capability: string): string[] => ['setpriv', '--bounding-set', `-${capability}`]
/** Mounts and links of the host, but for those of named namespaces, which other tests make and remove meanwhile. */
const mounts = (): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => !line.includes('/run/netns'))
const links = (): unknown =>
  (JSON.parse(execFileSync('ip', ['-json', 'link'], { encoding: 'utf8' })) as object[])
    .filter((link) => !('link_netnsid' in link))
    .map((link) => ({ ...link, operstate: '' }))

describeAsRoot('doctor on this host', () => {
  let lab: Lab
  let edge: Namespace
  beforeAll(() => {
    lab = new Lab()
    edge = lab.namespace('edge')
    const peer = lab.namespace('peer')
    const end = (name: string, address: string) => ({
      namespace: edge,
      interface: name,
      addresses: [address],
    })
    lab.link(end('up0', '192.0.2.1/24'), { namespace: peer, interface: 'up0' }, { mtu: 1400 })
    lab.link(end('lan0', '198.51.100.1/24'), { namespace: peer, interface: 'lan0' })
    execFileSync('ip', ['-n', edge.name, 'route', 'add', 'default', 'via', '192.0.2.9'])
  })
  afterAll(() => lab.close())

  test('tells what can be seen without it too, and leaves everything as it was', () => {
    const before = { mounts: mounts(), links: links(), netns: netnsInode(undefined) }
    const { code, answer, of } = doctor()
    expect({ mounts: mounts(), links: links(), netns: netnsInode(undefined) }).toEqual(before)
    expect(answer.host).toMatchObject({ kernel: release(), cores: availableParallelism() })
    expect(answer.host.unprivilegedBpfDisabled).toBe(setting('kernel/unprivileged_bpf_disabled'))
    expect(of('privileges').result).toBe('ok')
    const BTF = '/sys/kernel/btf/vmlinux'
    expect(of('btf')).toEqual({ result: 'ok', detail: `${BTF}, ${statSync(BTF).size} bytes` })
    expect(of('libbpf')).toEqual({ result: 'ok', detail: expect.stringMatching(/^v1\.\d+, \//) })
    expect(realpathSync(of('libbpf').detail.split(', ')[1] ?? '')).toMatch(/\/libbpf\.so\.1\.\d+\.\d+$/)
    expect(of('jit').detail).toContain(`net.core.bpf_jit_enable ${setting('net/core/bpf_jit_enable')}, `)
    expect([code, answer.canRun]).toEqual([0, true])
  })

  test('finds what the agent’s own calls and other tools find', () => {
    const { of } = doctor()
    const native = inNetns(edge.path, () => {
      using program = loadQuestion(verdictProgram(2))
      using link = createXdpLink(program, interfaceIndex('lan0'))
      return link.number > 0
    })
    expect([of('xdp-native').result === 'ok', of('xdp-link').result]).toEqual([native, 'ok'])
    const tc = spawnSync('ip', ['netns', 'exec', edge.name, 'tc', 'qdisc', 'add', 'dev', 'lan0', 'clsact'])
    expect(of('clsact').result === 'ok').toBe(tc.status === 0)
    // a program without maps: nothing in it is taken as zero
    using program = loadQuestion(verdictProgram(2))
    const digest = of('program-tag').detail.split(' ')[0] ?? ''
    expect(createHash(digest).update(verdictProgram(2)).digest('hex')).toMatch(
      new RegExp(`^${programInfo(program).tag}`),
    )
  })

  test('shows the interfaces of a namespace, and attaches nothing to them', () => {
    const { answer } = doctor(['--netns', edge.name])
    const nativeXdp = expect.stringMatching(/^(yes|unknown)$/) // kernels before 6.3 do not tell
    expect(answer.interfaces.sort((a, b) => a.name.localeCompare(b.name))).toEqual(
      inNetns(edge.path, () => [
        {
          name: 'lan0',
          ifindex: interfaceIndex('lan0'),
          driver: 'veth',
          mtu: 1500,
          nativeXdp,
          defaultRoute: false,
        },
        {
          name: 'up0',
          ifindex: interfaceIndex('up0'),
          driver: 'veth',
          mtu: 1400,
          nativeXdp,
          defaultRoute: true,
        },
      ]),
    )
    expect(execFileSync('ip', ['-n', edge.name, 'link'], { encoding: 'utf8' })).not.toContain('xdp')
    const own = doctor().answer.interfaces.map(({ name }) => name)
    expect(own).not.toContain('lan0')
  })

  test('tells of a driver’s native XDP what an attach finds', () => {
    execFileSync('ip', ['-n', edge.name, 'link', 'add', 'plain0', 'type', 'ifb'])
    const { interfaces } = doctor(['--netns', edge.name]).answer
    const attached = (name: string): boolean =>
      inNetns(edge.path, () => {
        using program = loadQuestion(verdictProgram(2))
        try {
          createXdpLink(program, interfaceIndex(name)).close()
          return true
        } catch {
          return false
        }
      })
    expect(interfaces.map(({ name }) => name).sort()).toEqual(['lan0', 'plain0', 'up0'])
    for (const { name, nativeXdp } of interfaces)
      expect([name, nativeXdp]).not.toEqual([name, attached(name) ? 'no' : 'yes'])
    const { status } = spawnSync('ip', ['-n', edge.name, 'link', 'delete', 'plain0'])
    expect([status, attached('lan0')]).toEqual([0, true])
  })

  test('refuses a namespace that is not there', () => {
    const run = spawnSync(process.execPath, [BINARY, 'doctor', '--netns', 'hl-none'], { encoding: 'utf8' })
    expect([run.status, run.stdout]).toEqual([4, ''])
    expect(run.stderr).toContain('[not_found]')
  })

  /** The file that was found to be loaded. */
  const libbpf = (): string => realpathSync(doctor().of('libbpf').detail.split(', ')[1] ?? '')
  test.each<[string, () => string[], CheckName, string, RegExp, number]>([
    ['libbpf', () => behind(`mount --bind /dev/null ${libbpf()}`), 'libbpf', 'missing', /libbpf/, 1],
    ['BTF', () => behind('mount -t tmpfs none /sys/kernel/btf'), 'btf', 'missing', /ENOENT.*vmlinux/, 0],
    ['mounted BPF file system', () => behind('umount /sys/fs/bpf'), 'bpffs', 'limited', /not mounted on/, 0],
    [
      'writable BPF file system',
      () => behind('mount -o remount,bind,ro /sys/fs/bpf'),
      'bpffs',
      'missing',
      /may not write/,
      1,
    ],
    ['CAP_NET_ADMIN', () => without('net_admin'), 'privileges', 'limited', /^root, no CAP_NET_ADMIN$/, 0],
    ['CAP_NET_ADMIN to attach by clsact', () => without('net_admin'), 'clsact', 'unknown', /EPERM/, 0],
    ['CAP_SYS_ADMIN', () => without('sys_admin'), 'privileges', 'missing', /^root, no CAP_SYS_ADMIN$/, 1],
    ['CAP_SYS_ADMIN to be alone', () => without('sys_admin'), 'xdp-link', 'unknown', /EPERM/, 1],
  ])('notices that there is no %s', (_, wrapper, check, result, detail, exitCode) => {
    const { code, of } = doctor([], wrapper())
    expect(of(check)).toEqual({ result, detail: expect.stringMatching(detail) })
    expect(code).toBe(exitCode)
  })

  test('does without iproute2, but cannot try native XDP then', () => {
    const { code, of } = doctor([], [], { ...process.env, PATH: '/nonexistent' })
    expect(of('xdp-native')).toEqual({ result: 'unknown', detail: expect.stringContaining('no `ip`') })
    expect([of('xdp-link').result, code]).toEqual(['ok', 0])
  })

  test('tells another user clearly that it is root who is missing', () => {
    // it may read the checkout, wherever that is, and nothing more
    const reads = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search']
    const asNobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', ...reads]
    const { code, answer, of } = doctor([], asNobody)
    expect([code, answer.canRun]).toEqual([1, false])
    expect(of('privileges')).toEqual({
      result: 'missing',
      detail: 'user 65534, not root, no CAP_NET_ADMIN, no CAP_SYS_ADMIN',
    })
    expect([of('xdp-load').result, of('xdp-link').result, of('libbpf').result]).toEqual([
      'unknown',
      'unknown',
      'ok',
    ])
    const { stdout, stderr, status } = spawnSync(
      asNobody[0] ?? '',
      [...asNobody.slice(1), process.execPath, BINARY, 'doctor'],
      { encoding: 'utf8' },
    )
    expect([status, stderr]).toEqual([1, ''])
    expect(stdout.trimEnd().endsWith('the agent cannot run here: it needs root and capabilities')).toBe(true)
  })
})

function setting(name: string): number {
  return Number(readFileSync(`/proc/sys/${name}`, 'utf8'))
}
