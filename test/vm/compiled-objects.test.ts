import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { compileBpf } from '../support/compile-bpf.ts'

const SOURCE = 'int one(void) { return 1; }\n'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hookline-objects-'))
  vi.stubEnv('HOOKLINE_BPF_OBJECTS', folder)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

test('an object is compiled once for a source and its arguments', () => {
  const first = compileBpf(SOURCE)
  const [file, ...others] = readdirSync(folder)
  expect(others).toEqual([])
  writeFileSync(join(folder, file ?? ''), 'kept')
  expect(compileBpf(SOURCE).toString()).toBe('kept')
  expect(compileBpf(SOURCE, { debug: false }).toString()).not.toBe('kept')
  expect(compileBpf(SOURCE.replace('1', '2')).toString()).not.toBe('kept')
  vi.stubEnv('HOOKLINE_BPF_OBJECTS', '')
  expect(compileBpf(SOURCE)).toEqual(first)
})

test('what does not compile is not kept', () => {
  expect(() => compileBpf('no\n')).toThrow('failed')
  expect(readdirSync(folder)).toEqual([])
})
