import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeDirectory } from '../../src/store/make-directory.ts'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hookline-test-'))
})
afterEach(() => rm(dir, { recursive: true }))

test('makes what is missing on the way, with the mode, and leaves what is there', async () => {
  const path = join(dir, 'a', 'b', 'c')
  await makeDirectory(path, 0o700)
  await makeDirectory(path, 0o755)
  expect((await stat(path)).mode & 0o777).toBe(0o700)
})
test('a file in the way is refused', async () => {
  await writeFile(join(dir, 'file'), '')
  await expect(makeDirectory(join(dir, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeDirectory(join(dir, 'file', 'a'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})
test('ends where nothing can be made', async () => {
  await expect(makeDirectory('/proc/hookline/a')).rejects.toMatchObject({ code: 'ENOENT' })
})
