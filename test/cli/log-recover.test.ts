import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { identitySettings } from '../../src/bin/identity-settings.ts'
import { runCli } from '../../src/cli/run.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { parseCheckpoint, signCheckpoint } from '../../src/tlog/checkpoint.ts'
import { parseNote } from '../../src/tlog/note.ts'
import { formatNoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { newKey, openNamespace } from '../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { newLogIdentity } from '../support/log-identity.ts'
import { newSigner } from '../support/memory-log.ts'
import { memoryIo, scratch } from './hookline.ts'

const notHere = () => Promise.reject(new Error('not here'))
const services = { serve: notHere, witness: notHere, agent: notHere, doctor: notHere, verifyRunning: notHere }
const home = await scratch()
const ORIGIN = 'registry.test'
const NAME = 'registry.test/recovery'
const pem = generateKeyPair('ed25519').privateKey
const recoveryKey = noteKeyOf(NAME, 'note', parsePrivateKey(pem).key)
const logIdentity = { ...newLogIdentity(ORIGIN), recoveryKey }
const logKey = noteKeyOf(`${ORIGIN}/catalog`, 'note', logIdentity.privateKey)
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry(PATIENT, identitySettings({}), { logIdentity })
  await openNamespace(registry, 'acme', newKey())
  await writeFile(join(home, 'recovery.pem'), pem)
})
afterAll(() => registry.close())

let runs = 0
beforeEach(() => {
  runs += 1
})
const file = async (name: string, text: string | Buffer): Promise<string> => {
  const path = join(home, `${runs}-${name}`)
  await writeFile(path, text)
  return path
}
const checkpoint = async (log: string): Promise<string> =>
  (await registry.call('GET', `/log/${log}/checkpoint`)).bytes.toString()

/** Runs the command; what it answers, what it tells meanwhile, and whether it signed anything. */
async function recover(...args: string[]) {
  const io = memoryIo({ env: { HOOKLINE_TOKEN: registry.admin, HOOKLINE_URL: registry.url }, home })
  const out = `${runs}-statements.json`
  const exit = await runCli(
    [
      ...['log', 'recover', '--json', '--key', join(home, 'recovery.pem'), '--name', NAME],
      ...['--log-key', formatNoteKey(logKey), '--out', join(home, out), ...args],
    ],
    io,
    services,
    '0',
  )
  const answer = z
    .object({ error: z.object({ code: z.string(), message: z.string() }).optional() })
    .loose()
    .parse(JSON.parse(io.out))
  const signed = (await readdir(home)).includes(out)
  return { exit, code: answer.error?.code, message: answer.error?.message, answer, signed }
}

describe('checkpoints that were seen, and are of neither log', () => {
  const cases: [string, () => Promise<string>, string][] = [
    [
      'of another log',
      async () => {
        const { size, root } = parseCheckpoint(parseNote(await checkpoint('catalog')).text)
        const stranger = newSigner('elsewhere.test/catalog')
        return signCheckpoint({ origin: stranger.key.name, size, root, extensions: [] }, stranger, 1)
      },
      'it is of "elsewhere.test/catalog", another log',
    ],
    [
      'by another key of the same name',
      async () => {
        const { origin, size, root } = parseCheckpoint(parseNote(await checkpoint('catalog')).text)
        return signCheckpoint({ origin, size, root, extensions: [] }, newSigner(origin), 1)
      },
      'it is not signed by the key of the log of catalog',
    ],
  ]
  test.each(cases)('%s: nothing is signed, and they are named with the reason', async (name, note, why) => {
    const path = await file(`${name.replaceAll(' ', '-')}.txt`, await note())
    const refused = await recover('--seen', await file('own.txt', await checkpoint('revocations')), path)
    expect([refused.exit, refused.code, refused.signed]).toEqual([3, 'checkpoint_unknown', false])
    expect(refused.message).toBe(`${path}: ${why}`)
  })
})

test('what these logs signed and contradicts them still refuses, whatever is left out', async () => {
  const { origin, size } = parseCheckpoint(parseNote(await checkpoint('catalog')).text)
  const forked = signCheckpoint(
    { origin, size, root: Buffer.alloc(32, 7), extensions: [] },
    { key: logKey, privateKey: logIdentity.privateKey },
    1,
  )
  const refused = await recover('--seen', await file('forked.txt', forked), '--leave-out')
  expect([refused.code, refused.signed]).toEqual(['log_fork', false])
})
test('with --leave-out they are named and left out, and the others count', async () => {
  const stranger = newSigner('elsewhere.test/catalog')
  const other = await file(
    'other.txt',
    signCheckpoint(
      { origin: stranger.key.name, size: 9, root: Buffer.alloc(32), extensions: [] },
      stranger,
      1,
    ),
  )
  const own = [
    await file('c.txt', await checkpoint('catalog')),
    await file('r.txt', await checkpoint('revocations')),
  ]
  const done = await recover('--seen', ...own, other, '--leave-out')
  expect([done.exit, done.code, done.signed]).toEqual([0, undefined, true])
  const why = 'it is of "elsewhere.test/catalog", another log'
  expect(done.answer).toMatchObject({
    leftOut: [{ file: other, why }],
    logs: [
      { log: 'catalog', seen: 1 },
      { log: 'revocations', seen: 1 },
    ],
  })
})
