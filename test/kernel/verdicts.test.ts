import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { XDP_VERDICTS } from '../../src/domain/hook.ts'
import { createLink } from '../../src/kernel/bpf-link.ts'
import { ensureBpffs, pin, removeTree } from '../../src/kernel/bpffs.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { hookPoint } from '../../src/kernel/hook-point.ts'
import { interfaceIndex } from '../../src/kernel/libc.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import { createXdpLink } from '../../src/kernel/xdp-link.ts'
import { type LinkEnd, linkCounters } from '../../tools/lab/namespaces.ts'
import { needs, whyNoTcx } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { type CountingProgram, countingProgram } from './counting-program.ts'
import { type Router, router } from './router.ts'

const BPFFS = '/sys/fs/bpf'
const ROOT = join(BPFFS, `hookline-test-${process.pid}-verdicts`)
const DOCUMENT = fileURLToPath(new URL('../../docs/verdicts.md', import.meta.url))
const PACKETS = 50
const RATE_PPS = 10_000

const INTERFACE = { 'tc-ingress': 'in', 'tc-egress': 'out' } as const
/** enum bpf_attach_type, linux/bpf.h. */
const ATTACH_TYPE = { 'tc-ingress': 46, 'tc-egress': 47 } as const
/** TC_ACT_*, linux/pkt_cls.h. */
const TC_ACT = {
  next: -1,
  ok: 0,
  reclassify: 1,
  shot: 2,
  pipe: 3,
  stolen: 4,
  queued: 5,
  repeat: 6,
  redirect: 7,
  trap: 8,
  other: 100,
} as const
const NEXT = TC_ACT.next

/** A table of docs/verdicts.md, by the name in the first column, the other columns as text. */
function table(heading: string): [string, string[]][] {
  const [, section] = readFileSync(DOCUMENT, 'utf8').split(`## ${heading}\n`)
  const rows = (section?.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((line) => {
    const [name = '', ...rest] = line.split('|').slice(1, -1)
    return [name.replaceAll('`', '').trim(), rest.map((cell) => cell.trim())]
  })
}

describeAsRoot('a verdict', () => {
  let net: Router
  beforeAll(() => {
    ensureBpffs(BPFFS)
    net = router()
    net.run('ip', 'link', 'add', 'aside', 'type', 'veth', 'peer', 'name', 'aside-peer')
    for (const end of ['aside', 'aside-peer']) {
      net.set(`ipv6/conf/${end}/disable_ipv6`, '1') // it would say something of its own accord
      net.run('ip', 'link', 'set', end, 'up')
    }
  })
  afterAll(() => net[Symbol.dispose]())
  beforeEach(() => mkdirSync(ROOT))
  afterEach(() => removeTree(ROOT))

  const yes = (packets: number): string => {
    expect([0, PACKETS]).toContain(packets)
    return packets === PACKETS ? 'yes' : 'no'
  }
  const traffic = async (): Promise<number> => {
    const { sent, received } = await net.traffic({ count: PACKETS, rate_pps: RATE_PPS })
    expect(sent).toBe(PACKETS)
    return received
  }

  const cases = (['tc-ingress', 'tc-egress'] as const).flatMap((hook) =>
    (['tcx', 'clsact'] as const).flatMap((tc) =>
      table(tc === 'tcx' ? 'TCX' : 'clsact').map(([name, row]) => ({ hook, tc, name, row })),
    ),
  )
  test('has a row in the document for each value', () => {
    for (const heading of ['TCX', 'clsact'])
      expect(table(heading).map(([name]) => name)).toEqual(Object.keys(TC_ACT))
    for (const heading of ['XDP'])
      expect(table(heading).map(([name]) => name)).toEqual([...XDP_VERDICTS, 'other'])
  })

  test.for(cases)(
    '$name on $hook by $tc does what the document says',
    async ({ hook, tc, name, row }, context) => {
      if (tc === 'tcx') needs(tc, whyNoTcx(), context)
      const listed = whyNoTcx() === undefined // a list that is done before any filter
      const device = INTERFACE[hook]
      const ifindex = net.index(device)
      const value = TC_ACT[name as keyof typeof TC_ACT]
      using ours = countingProgram(hook, value === TC_ACT.redirect ? { redirect: net.index('aside') } : value)
      using before = countingProgram(hook, NEXT)
      using after = countingProgram(hook, NEXT)
      using filter = countingProgram(hook, NEXT)
      const linked = ({ fd }: CountingProgram): Fd =>
        inNetns(net.namespace.path, () => createLink(fd, ifindex, ATTACH_TYPE[hook]))
      const filtered = ({ fd, id }: CountingProgram, priority: number): void => {
        const path = join(ROOT, `${id}`)
        pin(fd, path)
        net.run(
          'tc',
          ...['filter', 'add', 'dev', device, hook.slice('tc-'.length), 'pref', `${priority}`],
          ...['bpf', 'direct-action', 'object-pinned', path],
        )
      }
      const point = hookPoint({
        ...{ hook, ifindex, netns: net.namespace.path, tc, linkPath: join(ROOT, 'link') },
        ...{ allowGeneric: false, owns: (id: number) => id === ours.id },
      })
      net.run('tc', 'qdisc', 'add', 'dev', device, 'clsact')
      const asideBefore = sentAside()
      try {
        using first = listed ? linked(before) : undefined
        if (tc === 'clsact') filtered(filter, 1)
        if (tc === 'clsact') filtered(after, 60_000)
        point.attach(ours.fd)
        using last = tc === 'tcx' ? linked(after) : undefined
        if (tc === 'tcx') filtered(filter, 1) // after the whole list
        expect([first?.number ?? 1, last?.number ?? 1].every((fd) => fd > 0)).toBe(true)
        const received = await traffic()
        expect([before.count(), ours.count()]).toEqual([listed ? PACKETS : 0, PACKETS])
        if (tc === 'clsact') expect(filter.count()).toBe(PACKETS)
        expect(sentAside() - asideBefore).toBe(name === 'redirect' ? PACKETS : 0)
        const later = tc === 'tcx' ? [after.count(), filter.count()] : [after.count()]
        expect([...later, received].map(yes)).toEqual(row.slice(0, later.length + 1))
      } finally {
        point.detach()
        net.run('tc', 'qdisc', 'delete', 'dev', device, 'clsact')
      }
    },
  )

  function sentAside(): number {
    const [, tx] = /TX:.*\n\s*\d+\s+(\d+)/.exec(net.run('ip', '-s', 'link', 'show', 'aside')) ?? []
    return Number(tx)
  }

  describe.each(['native', 'generic'] as const)('on XDP, %s', (mode) => {
    test.each(table('XDP'))('%s does what the document says', async (name, row) => {
      const value = [...XDP_VERDICTS, 'other'].indexOf(name)
      using ours = countingProgram('xdp', name === 'redirect' ? { redirect: net.index('out') } : value)
      // a veth takes frames by XDP only where its peer runs it too; what comes back is counted there
      using back = countingProgram('xdp', XDP_VERDICTS.indexOf('drop'))
      using passes = countingProgram('xdp', XDP_VERDICTS.indexOf('pass'))
      const on = (end: LinkEnd, { fd }: CountingProgram): Fd =>
        inNetns(end.namespace.path, () => createXdpLink(fd, interfaceIndex(end.interface)))
      using senders = on(net.sender, back)
      using receivers = on(net.receiver, passes)
      expect([senders.number, receivers.number].every((fd) => fd > 0)).toBe(true)
      const inner = { namespace: net.namespace, interface: 'in', mac: '', addresses: [] }
      using link = inNetns(net.namespace.path, () => createXdpLink(ours.fd, net.index('in'), mode))
      expect(link.number).toBeGreaterThan(0)
      const before = linkCounters(inner)
      const received = await traffic()
      expect(ours.count()).toBe(PACKETS)
      expect(linkCounters(inner).rxPackets).toBeGreaterThan(before.rxPackets)
      expect([received, back.count()].map(yes)).toEqual(row.slice(0, 2))
    })
  })
})
