import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import { interfaceIndex } from '../../src/kernel/libc.ts'
import { inNetns, listInterfaces, netnsInode, netnsPath } from '../../src/kernel/netns.ts'
import { Lab, type Namespace } from '../../tools/lab/namespaces.ts'
import { expectRefusal } from '../elf/codes.ts'
import { describeAsRoot } from '../support/needs-root.ts'

describeAsRoot('a network namespace', () => {
  let lab: Lab
  let host: Namespace
  beforeEach(() => {
    lab = new Lab()
    host = lab.namespace('host')
    const end = (name: string, ...addresses: string[]) => ({ namespace: host, interface: name, addresses })
    const peer = (name: string) => ({ namespace: lab.namespace(name), interface: 'peer' })
    lab.link(end('eth0', '192.0.2.1/24', '2001:db8:1::1/64'), peer('a'))
    lab.link(end('eth1', '198.51.100.1/24', '2001:db8:2::1/64'), peer('b'))
  })
  afterEach(() => lab.close())

  const ip = (...args: string[]): void => {
    execFileSync('ip', ['-n', host.name, ...args], { stdio: 'pipe' })
  }
  const names = (): string[] =>
    listInterfaces(host.path)
      .map(({ name }) => name)
      .sort()
  const defaults = (): string[] =>
    listInterfaces(host.path)
      .filter(({ defaultRoute }) => defaultRoute)
      .map(({ name }) => name)
      .sort()

  test('lists its interfaces with their indexes, but not the loopback', () => {
    const listed = listInterfaces(host.path)
    expect(listed.map(({ name }) => name).sort()).toEqual(['eth0', 'eth1'])
    for (const { name, ifindex } of listed) {
      expect(ifindex).toBe(inNetns(host.path, () => interfaceIndex(name)))
      expect(ifindex).toBeGreaterThan(0)
    }
  })

  test.each(['eth0.100', 'lan@home', 'br-0_x+y', '7', 'fifteen-chars-x'])(
    'lists an interface named %s',
    (name) => {
      ip('link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', 'other')
      expect(names()).toEqual([name, 'eth0', 'eth1', 'other'].sort())
      expect(inNetns(host.path, () => interfaceIndex(name))).toBeGreaterThan(0)
    },
  )

  test('has no interface names with colons or spaces: the kernel refuses them', () => {
    for (const name of ['eth0:1', 'eth 0'])
      expect(() => ip('link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', 'other')).toThrow()
    expect(names()).toEqual(['eth0', 'eth1'])
  })

  test('has no default route of its own accord, nor by routes to somewhere', () => {
    expect(defaults()).toEqual([])
    ip('route', 'add', '10.0.0.0/8', 'via', '192.0.2.9')
    ip('route', 'add', '0.0.0.0/1', 'via', '192.0.2.9')
    ip('-6', 'route', 'add', '2001:db8:9::/48', 'via', '2001:db8:1::9')
    expect(defaults()).toEqual([])
  })

  test.each<[string, string[][], string[]]>([
    ['IPv4', [['route', 'add', 'default', 'via', '192.0.2.9']], ['eth0']],
    ['IPv6', [['-6', 'route', 'add', 'default', 'via', '2001:db8:2::9']], ['eth1']],
    ['IPv4 without a gateway', [['route', 'add', 'default', 'dev', 'eth1']], ['eth1']],
    [
      'one of each',
      [
        ['route', 'add', 'default', 'via', '192.0.2.9'],
        ['-6', 'route', 'add', 'default', 'via', '2001:db8:2::9'],
      ],
      ['eth0', 'eth1'],
    ],
    [
      'two of IPv4 by metric',
      [
        ['route', 'add', 'default', 'via', '192.0.2.9'],
        ['route', 'add', 'default', 'via', '198.51.100.9', 'metric', '500'],
      ],
      ['eth0', 'eth1'],
    ],
    [
      'several next hops of IPv6',
      [
        [
          '-6',
          'route',
          'add',
          'default',
          'nexthop',
          'via',
          '2001:db8:1::9',
          'nexthop',
          'via',
          '2001:db8:2::9',
        ],
      ],
      ['eth0', 'eth1'],
    ],
    [
      'several next hops of IPv4',
      [['route', 'add', 'default', 'nexthop', 'via', '192.0.2.9', 'nexthop', 'via', '198.51.100.9']],
      ['eth0', 'eth1'],
    ],
    ['in a table of its own', [['route', 'add', 'default', 'via', '192.0.2.9', 'table', '77']], ['eth0']],
    ['none but an unreachable one', [['route', 'add', 'unreachable', 'default']], []],
  ])('knows which interfaces carry the default route: %s', (_, routes, expected) => {
    for (const route of routes) ip(...route)
    expect(defaults()).toEqual(expected)
  })

  test('finds the default route behind many others', () => {
    const lines = Array.from(
      { length: 3000 },
      (_, at) => `route add 10.${at >> 8}.${at & 255}.0/24 via 192.0.2.9`,
    )
    lines.push('route add default via 198.51.100.9')
    execFileSync('ip', ['-n', host.name, '-batch', '-'], { input: lines.join('\n') })
    expect(defaults()).toEqual(['eth1'])
  })

  test('is left again, also when the work in it throws', () => {
    const here = netnsInode(undefined)
    const there = netnsInode(host.path)
    expect(there).not.toBe(here)
    expect(inNetns(host.path, () => netnsInode(undefined))).toBe(there)
    expect(netnsInode(undefined)).toBe(here)
    expect(() =>
      inNetns(host.path, () => {
        expect(netnsInode(undefined)).toBe(there)
        throw new DomainError('internal', 'in the middle')
      }),
    ).toThrow('in the middle')
    expect(netnsInode(undefined)).toBe(here)
    expect(readFileSync('/proc/thread-self/net/dev', 'utf8')).not.toContain('eth1:')
  })

  test('may be entered from within another', () => {
    const second = lab.namespace('second')
    const inodes = inNetns(host.path, () => [
      inNetns(second.path, () => netnsInode(undefined)),
      netnsInode(undefined),
    ])
    expect(inodes).toEqual([netnsInode(second.path), netnsInode(host.path)])
  })

  test('that does not exist is refused by name, and nothing is entered', () => {
    const here = netnsInode(undefined)
    expectRefusal(() => netnsPath('hl-none'), 'not_found', /no network namespace "hl-none"/)
    expect(netnsPath(host.name)).toBe(host.path)
    expectRefusal(() => inNetns('/run/netns/hl-none', () => 1), 'not_found', /hl-none is gone/)
    expect(() => inNetns('/proc/self/status', () => 1)).toThrow(/EINVAL/)
    expect(netnsInode(undefined)).toBe(here)
  })
})
