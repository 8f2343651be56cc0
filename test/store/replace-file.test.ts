import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { asDomainError } from '../../src/domain/errors.ts'
import { removeFile, replaceFile, writeAside } from '../../src/store/replace-file.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hookline-replace-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const read = (name: string): unknown => JSON.parse(readFileSync(join(dir, name), 'utf8'))
const outcome = (work: Promise<void>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => asDomainError(error).code,
  )

test('of many who write one file at once none fails, and what the last one asked for stays', async () => {
  const writes = Array.from({ length: 50 }, (_, number) => replaceFile(dir, 'log.json', { number }))
  expect(new Set(await Promise.all(writes.map(outcome)))).toEqual(new Set(['done']))
  expect(read('log.json')).toEqual({ number: 49 })
  expect(readdirSync(dir)).toEqual(['log.json'])
})

test('a file is the same however its path is written', async () => {
  const writes = [
    replaceFile(dir, 'log.json', 1),
    replaceFile(`${dir}/../${dir.split('/').at(-1)}`, 'log.json', 2),
  ]
  expect(await Promise.all(writes.map(outcome))).toEqual(['done', 'done'])
  expect(read('log.json')).toBe(2)
})

test('a removal takes its turn among writers', async () => {
  const [path, name] = [join(dir, 'chain.json'), 'chain.json']
  await Promise.all([replaceFile(dir, name, 1), removeFile(path)])
  expect(readdirSync(dir)).toEqual([])
  await Promise.all([removeFile(path), replaceFile(dir, name, 2)])
  expect([read(name), readdirSync(dir)]).toEqual([2, [name]])
})

test('one that fails is told so, leaves nothing, and holds up nobody behind it', async () => {
  const path = join(dir, 'taken')
  mkdirSync(path) // a file takes no folder's name
  const failing = outcome(writeAside(path, 'x', 0o600))
  const removed = outcome(removeFile(join(dir, 'absent')))
  expect([await failing, await removed]).toEqual(['file_unwritable', 'done'])
  rmSync(path, { recursive: true })
  expect(await outcome(writeAside(path, 'x', 0o600))).toBe('done')
  expect(readdirSync(dir)).toEqual(['taken'])
})

test('what a process that died left aside is replaced by the next write', async () => {
  writeFileSync(join(dir, 'log.json.new'), '{"half":')
  await Promise.all([replaceFile(dir, 'log.json', 1), replaceFile(dir, 'log.json', 2)])
  expect([read('log.json'), readdirSync(dir)]).toEqual([2, ['log.json']])
})
