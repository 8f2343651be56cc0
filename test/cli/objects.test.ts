import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
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

  test('gives the same as one JSON document', async () => {
    const report = JSON.parse((await hookline(folder, ['inspect', object, '--json'])).stdout)
    expect(report).toMatchObject({
      name: 'ratelimit.bpf.o',
      programs: [{ name: 'xdp_ratelimit', hook: 'xdp' }],
    })
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

  test('wants the objects in one directory', async () => {
    const run = await hookline(folder, ['init', object, 'other/ratelimit.bpf.o', '--namespace', 'acme'])
    expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('one directory')])
  })
})
