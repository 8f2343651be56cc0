import { expect, test } from 'vitest'
import { LogFollower } from '../../src/agent/log-follower.ts'
import type { LogTrust } from '../../src/agent/log-trust.ts'
import type { KeptLog } from '../../src/domain/kept-log.ts'
import type { LogName } from '../../src/domain/log.ts'
import { parseNote, signatureLine } from '../../src/tlog/note.ts'
import { memoryLog, newSigner } from '../support/memory-log.ts'

const [catalog, revocations] = [
  newSigner('registry.example/catalog'),
  newSigner('registry.example/revocations'),
]
const logs = { catalog: memoryLog(catalog, ['one', 'two', 'three']), revocations: memoryLog(revocations, []) }
const witness = newSigner('witness.example', 'cosignature')
const trust: LogTrust = {
  keys: { catalog: catalog.key, revocations: revocations.key },
  policy: { maxAge_s: 3600, witnesses: { keys: [witness.key], threshold: 1 } },
  onStale: 'keep',
}
const never = new AbortController().signal

/** A follower of logs in memory, whose witness signs a checkpoint that is asked for for the `signs`th time. */
function followed(signs: number) {
  const disk = new Map<LogName, KeptLog>()
  let asked = 0
  const follower = new LogFollower({
    state: { log: async (log) => disk.get(log), saveLog: async (log, kept) => void disk.set(log, kept) },
    registry: {
      logFile: async (log, path) => {
        if (path !== 'checkpoint') return logs[log].tile(path) ?? expect.fail(`there is no ${path}`)
        const note = logs[log].checkpoint(logs[log].size)
        const time_s = Math.floor(Date.now() / 1000)
        const isSigned = log === 'revocations' || ++asked >= signs
        return Buffer.from(note + (isSigned ? signatureLine(parseNote(note).text, witness, time_s) : ''))
      },
    },
    clock: () => new Date(),
  })
  return { follower, disk, asked: () => asked }
}

test('a checkpoint that its witnesses have not signed yet is waited for, and is no problem', async () => {
  const { follower, disk, asked } = followed(4)
  await follower.follow(trust, never)
  expect(follower.problem).toBe(undefined)
  expect(disk.get('catalog')?.size).toBe(3)
  expect(asked()).toBe(4)
})

test('one that they never sign is not believed', async () => {
  const { follower, disk, asked } = followed(Number.POSITIVE_INFINITY)
  await follower.follow(trust, never)
  expect(follower.problem?.code).toBe('witnesses_missing')
  expect(disk.get('catalog')?.size).toBe(0)
  expect(asked()).toBeGreaterThan(4)
})

test('an agent that ends does not go on looking', async () => {
  const { follower, disk } = followed(Number.POSITIVE_INFINITY)
  const ending = AbortSignal.timeout(20)
  await follower.follow(trust, ending)
  expect(follower.problem).toBe(undefined)
  expect(disk.get('catalog')?.size).toBe(0)
})
