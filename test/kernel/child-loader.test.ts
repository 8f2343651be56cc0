import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { lookupElement } from '../../src/kernel/bpf-map.ts'
import { childLoader } from '../../src/kernel/child-loader.ts'
import type { LoadedOriginal, Loader } from '../../src/kernel/loader.ts'
import type { OriginalRequest } from '../../src/kernel/original.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { emulated } from '../support/emulated.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { bpfDescriptors } from './descriptors.ts'
import { runOn } from './test-run.ts'

const MODULE = new URL('../../src/bin/loader.ts', import.meta.url)
const FRAME = { bytes: Buffer.alloc(60) }
/** A program that the verifier walks a million instructions of before it refuses it. */
const SLOW = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("xdp") int x(struct xdp_md *ctx) {
  volatile __u32 stack = 0;
  for (__u32 at = 0; at < 10000000; at++) stack += at;
  return stack;
}
`

/** How long a process may take to end; under emulation some seconds. */
const ENDS_MS = 20_000

/** Processes that this one has started as loaders (proc(5): stat's fourth field is the parent). */
const loaders = (): number[] =>
  readdirSync('/proc').flatMap((name) => {
    try {
      const parent = /\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8')
      return Number(parent) === process.pid && /bin\/loader\.ts|silent\.mjs/.test(args) ? [Number(name)] : []
    } catch {
      return [] // no process, or one that has ended
    }
  })

describeAsRoot('the loading process', () => {
  let globals: Buffer
  let slow: Buffer
  let loader: Loader
  const open: LoadedOriginal[] = []
  beforeAll(() => {
    globals = compileSource('globals')
    slow = compileBpf(SLOW)
  })
  afterEach(async () => {
    loader.close()
    for (const one of open.splice(0)) one.close()
    await expect.poll(loaders, { timeout: ENDS_MS }).toEqual([])
  })

  const request = (bytes: Buffer, entry: string, reuse = new Map<string, number>()): OriginalRequest => ({
    ...{ bytes, entry, hook: 'xdp', arrayPrograms: [], variables: [], kernelFunctions: [], reuse },
  })
  async function load(...args: Parameters<typeof request>): Promise<LoadedOriginal> {
    const original = await loader.original(request(...args))
    open.push(original)
    return original
  }
  async function run({ code }: LoadedOriginal): Promise<number> {
    using program = await loader.program({ name: 'x', hook: 'xdp', code, license: 'GPL', flags: 0 })
    return runOn(program, 'xdp', FRAME).verdict
  }
  function packets({ maps }: LoadedOriginal): number {
    const bss = maps.get('.bss')
    if (bss === undefined) throw new Error('no .bss')
    return Number(lookupElement(bss, Buffer.alloc(4), mapInfo(bss).valueBytes)?.readBigUInt64LE(0))
  }

  test('is one for many loads, started when it is needed; what it loads is this process’s', async () => {
    loader = childLoader(MODULE)
    expect(loaders()).toEqual([])
    const before = bpfDescriptors()
    const first = await load(globals, 'globals')
    const [child] = loaders()
    expect([...first.maps.keys()].sort()).toEqual(['.bss', '.data', '.data.marked', '.rodata'])
    expect(first.verified).toBeGreaterThan(10)
    expect(await run(first)).toBe(2)
    expect(loaders()).toEqual([child])
    expect(packets(first)).toBe(1)
    for (const one of open.splice(0)) one.close()
    expect(bpfDescriptors()).toEqual(before)
  })

  test('loads on maps that this process names, which live whatever becomes of it', async () => {
    loader = childLoader(MODULE)
    const first = await load(globals, 'globals')
    await run(first)
    loader.close()
    await expect.poll(loaders, { timeout: ENDS_MS }).toEqual([])
    expect(packets(first)).toBe(1)
    const state = ['.bss', '.data', '.data.marked']
    const second = await load(
      globals,
      'globals',
      new Map(state.map((name) => [name, first.maps.get(name)?.number ?? -1])),
    )
    expect([await run(first), await run(second)]).toEqual([2, 1]) // the third packet of one state
    expect([packets(first), packets(second)]).toEqual([3, 3])
  })

  test('hands on why the verifier refused, with its whole log, and serves on', async () => {
    loader = childLoader(MODULE)
    const refused = load(compileSource('unbounded'), 'unbounded')
    await expect(refused).rejects.toMatchObject({
      code: 'verifier_refused',
      message: expect.stringMatching(/^unbounded: invalid access to packet/),
      log: expect.stringMatching(/^0: (.*\n)*.*invalid access to packet(.*\n)*processed \d+ insns/m),
    })
    await expect(load(globals, 'none')).rejects.toMatchObject({ code: 'entry_not_found' })
    const bad = loader.program({
      name: 'bad',
      hook: 'xdp',
      code: Buffer.alloc(8, 0x95),
      license: 'GPL',
      flags: 0,
    })
    await expect(bad).rejects.toMatchObject({
      code: expect.stringMatching(/verifier_refused|kernel_refused/),
    })
    const child = loaders()
    expect(await run(await load(globals, 'globals'))).toBe(2)
    expect(loaders()).toEqual(child)
  })

  test('fails what it was asked when it is killed in the middle, and the next question starts another', async () => {
    loader = childLoader(MODULE)
    await load(globals, 'globals')
    const before = bpfDescriptors()
    const [child] = loaders()
    const asked = [load(slow, 'x'), load(globals, 'globals')]
    const refused = Promise.all(
      asked.map((each) =>
        expect(each).rejects.toMatchObject({
          code: 'loader_failed',
          message: expect.stringMatching(/was ended by SIGKILL/),
        }),
      ),
    )
    process.kill(child ?? 0, 'SIGKILL')
    await refused
    expect(bpfDescriptors()).toEqual(before)
    expect(await run(await load(globals, 'globals'))).toBe(2)
    expect(loaders()).toHaveLength(1)
    expect(loaders()).not.toContain(child)
  })

  const limit = { timeout: emulated(15_000) }
  test(
    'is killed when it does not answer in time, and another serves what is asked next',
    limit,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'hookline-loader-'))
      const silent = join(folder, 'silent.mjs')
      // the first child says nothing, those after it load
      writeFileSync(
        silent,
        `import { existsSync, writeFileSync } from 'node:fs'
       if (existsSync(${JSON.stringify(join(folder, 'asked'))})) await import(${JSON.stringify(MODULE.href)})
       else process.on('message', () => writeFileSync(${JSON.stringify(join(folder, 'asked'))}, ''))`,
      )
      try {
        const patience_ms = emulated(3000)
        loader = childLoader(pathToFileURL(silent), patience_ms)
        await expect(load(globals, 'globals')).rejects.toMatchObject({
          code: 'loader_failed',
          message: `the loading process did not answer within ${patience_ms} ms`,
        })
        expect(await run(await load(globals, 'globals'))).toBe(2)
      } finally {
        rmSync(folder, { recursive: true })
      }
    },
  )

  test('that was killed with many questions open leaves nothing behind that ends the next one', {
    timeout: 6 * LIMITS.loader_idle_ms,
  }, async () => {
    loader = childLoader(MODULE)
    await load(globals, 'globals')
    const [child] = loaders()
    const asked = [load(slow, 'x'), load(globals, 'globals'), load(globals, 'globals')]
    process.kill(child ?? 0, 'SIGKILL')
    for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected')
    await load(globals, 'globals')
    const next = loaders()
    await sleep(0.8 * LIMITS.loader_idle_ms)
    await load(globals, 'globals') // it begins anew to be idle
    await sleep(0.4 * LIMITS.loader_idle_ms)
    expect(loaders()).toEqual(next)
  })

  test('that cannot be started fails the question', async () => {
    loader = childLoader(new URL('./no-such-file.ts', import.meta.url))
    await expect(load(globals, 'globals')).rejects.toMatchObject({ code: 'loader_failed' })
  })

  test('answers many questions at a time, each with its own answer', async () => {
    loader = childLoader(MODULE)
    const verdict = compileSource('verdict')
    const names = ['globals', 'verdict', 'globals', 'verdict']
    const loaded = await Promise.all(names.map((name) => load(name === 'globals' ? globals : verdict, name)))
    expect(loaded.map(({ maps }) => maps.size)).toEqual([4, 0, 4, 0])
  })

  test('ends when nothing was to be loaded for a while', { timeout: 6 * LIMITS.loader_idle_ms }, async () => {
    loader = childLoader(MODULE)
    const original = await load(globals, 'globals')
    expect(loaders()).toHaveLength(1)
    await expect.poll(loaders, { timeout: 4 * LIMITS.loader_idle_ms, interval: 200 }).toEqual([])
    expect(await run(original)).toBe(2) // by another
  })
})
