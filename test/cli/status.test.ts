import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { renderStatus } from '../../src/cli/status-text.ts'
import { noPackets } from '../../src/domain/hook.ts'
import type { Observed } from '../../src/domain/node.ts'
import { BINARY, hookline, memoryIo, scratch } from './hookline.ts'

const folder = await scratch()
const entry = {
  position: 1,
  function: 'edge',
  instance: 'limit',
  release: 'acme/limit@1.4.0',
  entry: 'xdp_limit',
  object: `sha256:${'0'.repeat(64)}`,
  proceed: ['pass'],
  form: 'fused' as const,
  packets: { ...noPackets('xdp'), pass: 12, drop: 3 },
  total: { ...noPackets('xdp'), pass: 20, drop: 3 },
}
const observed: Observed = {
  at: '2026-06-01T12:00:00Z',
  agent: '0.1.0',
  functions: [
    { name: 'edge', revision: 3, state: 'running' },
    {
      name: 'core',
      revision: 1,
      state: 'refused',
      error: {
        code: 'verifier_refused',
        message: 'R1 is wrong\u001b[2J',
        remedy: 'see the log',
        log: 'a\nb\nR1 invalid',
      },
    },
    { name: 'later', revision: 1, state: 'waiting' },
  ],
  chains: [
    {
      netns: '4026531840',
      interface: 'eth0',
      ifindex: 2,
      hook: 'xdp',
      mode: 'native',
      functions: [{ name: 'edge', revision: 3 }],
      generation: 4,
      linkId: 9,
      programId: 10,
      programTag: 'abc',
      since: '2026-06-01T11:00:00Z',
      entries: [entry, { ...entry, position: 2, instance: 'count', total: noPackets('xdp') }],
    },
  ],
  errors: [{ code: 'registry_unavailable', message: 'no answer', remedy: 'check it' }],
}

describe('status', () => {
  test('shows every entry with the verdicts that occurred, then what stands in the way', () => {
    expect(
      renderStatus(
        memoryIo(),
        [
          { name: 'n1', observed, heardAt: new Date(observed.at), silentAfter_s: 45 },
          { name: 'n2', observed: undefined, heardAt: undefined, silentAfter_s: 45 },
        ],
        new Date(observed.at),
      ),
    ).toBe(
      [
        'node  interface  hook  function  pos  instance  release           entry      form   packets',
        'n1    eth0       xdp   edge r3     1  limit     acme/limit@1.4.0  xdp_limit  fused  drop 3 pass 20',
        'n1    eth0       xdp   edge r3     2  count     acme/limit@1.4.0  xdp_limit  fused  none',
        'n1: function core refused: R1 is wrong\\u{1b}[2J [verifier_refused]',
        '  | a',
        '  | b',
        '  | R1 invalid',
        '  see the log',
        'n1: function later waits: this node has no interface that it names',
        'n1: no answer [registry_unavailable]',
        '  check it',
        'n2: no report yet',
      ].join('\n'),
    )
  })

  test('shows what became of instances of which a release is revoked', () => {
    const withdrawn = (['previous', 'detach', 'drop'] as const).map((action, at) => ({
      ...{ instance: ['limit', 'gone', 'closed'][at] ?? '', release: `acme/limit@1.${5 + at}.0`, action },
    }))
    const functions = [{ name: 'edge', revision: 3, state: 'running' as const, withdrawn }]
    const node = { name: 'n1', observed: { ...observed, functions, errors: [] } }
    const heard = { heardAt: new Date(observed.at), silentAfter_s: 45 }
    const lines = renderStatus(memoryIo(), [{ ...node, ...heard }], new Date(observed.at)).split('\n')
    expect(lines.slice(3)).toEqual([
      'n1: function edge: limit runs acme/limit@1.4.0: acme/limit@1.5.0 is revoked',
      'n1: function edge: gone has left its chains: acme/limit@1.6.0 is revoked',
      'n1: function edge: closed drops every packet on its hooks: acme/limit@1.7.0 is revoked',
    ])
  })

  test('on a narrow terminal keeps releases and packets whole, and leaves out what matters less', () => {
    const shown = (columns: number): string[] =>
      renderStatus(
        memoryIo({ columns, env: { NO_COLOR: '1' } }),
        [
          {
            name: 'n1',
            observed: { ...observed, functions: [], errors: [] },
            heardAt: undefined,
            silentAfter_s: 45,
          },
        ],
        new Date(observed.at),
      ).split('\n')
    expect(shown(120)).toHaveLength(3)
    expect(shown(80)).toEqual([
      '  function  pos  instance  release           entry      form   packets',
      'n1 eth0 xdp',
      '  edge r3     1  limit     acme/limit@1.4.0  xdp_limit  fused  drop 3 pass 20',
      '  edge r3     2  count     acme/limit@1.4.0  xdp_limit  fused  none',
    ])
    expect(shown(70)[2]).toBe('  edge r3     1  limit     acme/limit@1.4.0  fused  drop 3 pass 20')
    expect(shown(60)[2]).toBe('  edge r3     1  limit     acme/limit@1.4.0  drop 3 pass 20')
    for (const columns of [100, 80, 70, 60, 50, 40])
      expect(shown(columns).filter((line) => line.length > columns)).toEqual([])
  })

  test('says of a node that fell silent how old its report is, and nothing of one that did not', () => {
    const heardAt = new Date(observed.at)
    const shownAfter = (seconds: number): string =>
      renderStatus(
        memoryIo(),
        [{ name: 'n1', observed, heardAt, silentAfter_s: 45 }],
        new Date(heardAt.getTime() + seconds * 1000),
      )
    expect(shownAfter(44)).not.toContain('not heard of')
    expect(shownAfter(45)).toContain(
      'n1: not heard of for 45 s: its agent does not run or cannot report; this is its last report',
    )
    expect(shownAfter(600)).toContain('not heard of for 10 min')
    expect(shownAfter(3 * 86_400)).toContain('not heard of for 3 d')
  })

  test('reads the report of the agent on this host without a registry', async () => {
    const state = join(folder, 'state')
    await mkdir(state)
    await writeFile(join(state, 'status.json'), JSON.stringify(observed))
    const run = await hookline(folder, ['status', '--state', state])
    expect([run.code, run.stderr]).toEqual([0, ''])
    expect(run.stdout).toContain('this host  eth0')
    expect(run.stdout).toContain('this host: not heard of for ') // no agent wrote it just now
    expect(JSON.parse((await hookline(folder, ['status', '--state', state, '--json'])).stdout)).toEqual(
      observed,
    )
  })

  test('shows itself again and again when it is watched', async () => {
    const state = join(folder, 'watched')
    await mkdir(state)
    await writeFile(join(state, 'status.json'), JSON.stringify(observed))
    const child = spawn(process.execPath, [BINARY, 'status', '--state', state, '--watch', '--json'])
    const lines: string[] = []
    for await (const line of createInterface(child.stdout)) {
      lines.push(line)
      if (lines.length === 2) child.kill()
    }
    expect(lines.map((line) => JSON.parse(line))).toEqual([observed, observed])
  })

  test('refuses a report that is none', async () => {
    const state = join(folder, 'odd')
    await mkdir(state)
    await writeFile(join(state, 'status.json'), '{"at":1}')
    const run = await hookline(folder, ['status', '--state', state])
    expect(run.code).toBe(1)
    expect(run.stderr).toContain('[invalid_json]')
  })
})
