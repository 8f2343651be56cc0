import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { BINARY, hookline, scratch } from './hookline.ts'

const folder = await scratch()
const object = 'new/ratelimit.bpf.o'
beforeAll(async () => {
  buildProgram(join(PROGRAMS, 'ratelimit'), { outDir: join(folder, 'built') })
  await mkdir(join(folder, 'new'))
  await mkdir(join(folder, 'other'))
  for (const place of ['new', 'other'])
    await copyFile(join(folder, 'built', 'ratelimit.bpf.o'), join(folder, place, 'ratelimit.bpf.o'))
})

describe('inspect', () => {
  test('shows programs, maps and configuration', async () => {
    const run = await hookline(folder, ['inspect', object])
    expect([run.code, run.stderr]).toEqual([0, ''])
    for (const part of ['xdp_ratelimit', 'rl_buckets', 'cfg_rate', 'GPL-compatible', 'bpf_ktime_get_ns'])
      expect(run.stdout).toContain(part)
  })

  test('shows in columns what a program can do besides letting packets pass, or that it cannot', async () => {
    const permissions = async (path: string): Promise<string[]> => {
      const { stdout } = await hookline(folder, ['inspect', path])
      return (stdout.split('\npermissions\n')[1] ?? '').split('\n\n', 1)[0]?.split('\n') ?? []
    }
    const [head, row, ...rest] = await permissions(object)
    expect(head?.trim().split(/ {2,}/)).toEqual(['entry', 'permission', 'risk', 'it can', 'where first'])
    expect(row?.trim().split(/ {2,}/).slice(0, 4)).toEqual([
      ...['xdp_ratelimit', 'drop', 'medium', 'drop packets'],
    ])
    expect(rest).toEqual([])
    buildProgram(join(PROGRAMS, 'counter'), { outDir: join(folder, 'counter') })
    expect(await permissions('counter/counter.bpf.o')).toEqual(['  none: what it does is let packets pass'])
  })

  test('gives the same as one JSON document', async () => {
    const report = JSON.parse((await hookline(folder, ['inspect', object, '--json'])).stdout)
    expect(report).toMatchObject({
      name: 'ratelimit.bpf.o',
      programs: [{ name: 'xdp_ratelimit', hook: 'xdp' }],
    })
  })

  test('says which programs chain, why not, and what fills a map', async () => {
    await writeFile(join(folder, 'un.bpf.o'), compileBpf('test/elf/sources/unchainable.bpf.c'))
    const text = (await hookline(folder, ['inspect', 'un.bpf.o'])).stdout
    expect(text).toMatch(/^ *entry .* chains /m)
    expect(text).toMatch(/^ *plain .* yes$/m)
    expect(text).toMatch(/^ *throws +xdp .* no /m)
    expect(text).toMatch(/^cannot be chained\n {2}throws +it throws exceptions \(bpf_throw\), which/m)
    const report = JSON.parse((await hookline(folder, ['inspect', 'un.bpf.o', '--json'])).stdout)
    expect(report.programs).toContainEqual(
      expect.objectContaining({
        name: 'throws',
        chains: false,
        obstacles: [{ code: 'chain_exception', message: expect.stringContaining('bpf_throw') }],
        functions: [{ name: 'throws', slots: expect.any(Number), typeId: expect.any(Number), global: true }],
      }),
    )
    expect(Object.keys(report.btf).sort()).toEqual(['bytes', 'types'])

    await writeFile(join(folder, 'jumps.bpf.o'), compileBpf('test/elf/sources/jumps.bpf.c'))
    expect((await hookline(folder, ['inspect', 'jumps.bpf.o'])).stdout).toContain('1: on_udp, 6: on_tcp')
  })

  test('ends quietly when its reader has seen enough', async () => {
    const child = spawn(process.execPath, [BINARY, 'inspect', object, '--json'], { cwd: folder })
    child.stdout.destroy()
    const errors: Buffer[] = []
    child.stderr.on('data', (chunk) => errors.push(chunk))
    const [code] = await once(child, 'close')
    expect([code, Buffer.concat(errors).toString()]).toEqual([0, ''])
  })
})

describe('init', () => {
  test('drafts a manifest that publish accepts, and overwrites none', async () => {
    const run = await hookline(folder, ['init', object, '--namespace', 'acme', '--json'])
    expect(JSON.parse(run.stdout)).toEqual({
      path: 'new/hookline.yaml',
      name: 'acme/ratelimit',
      version: '0.1.0',
    })
    const draft = await readFile(join(folder, 'new', 'hookline.yaml'), 'utf8')
    expect(draft).toContain('variable: cfg_rate')

    await hookline(folder, ['keygen', '--out', 'k'])
    const nowhere = ['--url', 'http://127.0.0.1:9999', '--token', 't']
    const publish = await hookline(folder, ['publish', 'new', '--key', 'k.pem', ...nowhere])
    expect(publish.stderr).toContain('signing acme/ratelimit@0.1.0')
    expect(publish.stderr).toContain('[registry_unavailable]')

    const again = await hookline(folder, ['init', object, '--namespace', 'acme'])
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('[file_exists]')])
    expect(await readFile(join(folder, 'new', 'hookline.yaml'), 'utf8')).toBe(draft)
  })

  test('drafts what publish warns of: programs that no node could chain', async () => {
    await mkdir(join(folder, 'un'))
    await writeFile(join(folder, 'un', 'un.bpf.o'), compileBpf('test/elf/sources/unchainable.bpf.c'))
    await hookline(folder, ['init', 'un/un.bpf.o', '--namespace', 'acme'])
    await appendFile(join(folder, 'un', 'hookline.yaml'), 'source: https://example.org/un\n')
    await hookline(folder, ['keygen', '--out', 'u'])
    const nowhere = ['--url', 'http://127.0.0.1:9999', '--token', 't']
    const { stderr } = await hookline(folder, ['publish', 'un', '--key', 'u.pem', ...nowhere])
    const warnings = stderr.split('\n').filter((line) => line.startsWith('warning: '))
    expect(warnings).toContainEqual(
      expect.stringMatching(/^warning: throws of un\.bpf\.o cannot be chained: .* \[chain_exception\]$/),
    )
    expect(warnings.flatMap((line) => (line.includes('chained') ? [line.split(' ')[1]] : []))).toEqual([
      'throws',
      'throws_deep',
      'asks_device',
      'makes_objects',
      'makes_lists',
      'uses_arena',
      'several',
      'several',
      'throws_by_flavour',
    ])
    expect(stderr).toContain('[registry_unavailable]') // it went on
  })

  test('wants the objects in one directory', async () => {
    const run = await hookline(folder, ['init', object, 'other/ratelimit.bpf.o', '--namespace', 'acme'])
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('one directory')])
  })
})
