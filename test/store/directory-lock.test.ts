import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockDirectory } from '../../src/store/directory-lock.ts'
import { isRunning, processIdentity } from '../../src/store/process-identity.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'hookline-lock-'))
})
afterEach(() => rm(dir, { recursive: true }))
const lockFile = () => join(dir, 'hookline.lock')

test('a directory is taken once, and free again when released', async () => {
  const lock = await lockDirectory(dir)
  await expect(lockDirectory(dir)).rejects.toMatchObject({
    code: 'state_in_use',
    message: expect.stringContaining(String(process.pid)),
  })
  await lock.release()
  const again = await lockDirectory(dir)
  await again.release()
  expect(await readdir(dir)).toEqual([])
})
test('of many at once exactly one gets it', async () => {
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(dir)))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})
test('the lock of a process that was killed is taken over', async () => {
  const child = spawn('sleep', ['60'])
  const identity = await processIdentity(child.pid ?? 0)
  expect(identity).toBeDefined()
  await writeFile(lockFile(), JSON.stringify(identity))
  await expect(lockDirectory(dir)).rejects.toMatchObject({ code: 'state_in_use' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = await lockDirectory(dir)
  expect(JSON.parse(await readFile(lockFile(), 'utf8'))).toMatchObject({ pid: process.pid })
  await lock.release()
})
test.each([
  ['a later process with the same pid', { startTime: '1' }],
  ['a process of an earlier boot', { bootId: '00000000-0000-0000-0000-000000000000' }],
])('the lock of %s is stale', async (_, differs) => {
  const self = await processIdentity(process.pid)
  await writeFile(lockFile(), JSON.stringify({ ...self, ...differs }))
  await (await lockDirectory(dir)).release()
})
test('a lock file that cannot be read as one is stale', async () => {
  await writeFile(lockFile(), 'garbage')
  await (await lockDirectory(dir)).release()
})
test('a process is known by its start, and a zombie is nobody', async () => {
  const self = await processIdentity(process.pid)
  expect(self).toBeDefined()
  if (self !== undefined) expect(await isRunning(self)).toBe(true)
  expect(await processIdentity(2 ** 22 + 1)).toBeUndefined()
  // a shell that becomes `sleep` never waits for the child that it started before
  const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'])
  const [output] = await once(parent.stdout, 'data')
  const zombie = Number(String(output))
  for (let tries = 0; tries < 100; tries++) {
    if (/^State:\s*Z/m.test(await readFile(`/proc/${zombie}/status`, 'utf8'))) break
    await new Promise((later) => setTimeout(later, 10))
  }
  expect(await readFile(`/proc/${zombie}/status`, 'utf8')).toMatch(/^State:\s*Z/m)
  expect(await processIdentity(zombie)).toBeUndefined()
  parent.kill()
})
