import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { LogList, type LogName, PlacedEntryView } from '../../src/domain/log.ts'
import { databaseLogs } from '../../src/store/logs.ts'
import { type Checkpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { parseEntry } from '../../src/tlog/entry.ts'
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, HASH_BYTES } from '../../src/tlog/merkle.ts'
import { type NoteSignerKey, parseNote } from '../../src/tlog/note.ts'
import { type NoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { epochOrigin, type Recovery, signRecovery } from '../../src/tlog/recovery.ts'
import { buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { newLogIdentity } from '../support/log-identity.ts'
import { newSigner } from '../support/memory-log.ts'

const LOGS = ['catalog', 'revocations'] as const
const VERSIONS = ['1.0.0', '1.1.0', '1.2.0', '1.3.0']
/** Entries that both logs have and are no power of two, of which a proof begins with the root itself. */
const EARLIER = 3
const offline = newSigner('test/recovery')
const identity = { ...newLogIdentity('test'), recoveryKey: offline.key }

let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry(undefined, undefined, { logIdentity: identity })
  const publisher = newKey()
  await openNamespace(registry, 'acme', publisher)
  for (const version of VERSIONS) {
    await publishAt(registry, await buildRelease('acme/limit', version, publisher))
    const revoked = { kind: 'release', program: 'acme/limit', version } as const
    const at = new Date().toISOString()
    const envelope = signRevocation({ revoked, reason: 'faulty', message: 'a drill', at }, publisher)
    const body = { envelope }
    const { status } = await registry.call('POST', '/api/v1/revocations', { token: registry.admin, body })
    expect(status).toBe(201)
  }
})
afterAll(() => registry.close())

const headOf = async (log: LogName): Promise<Checkpoint> => {
  const { bytes } = await registry.call('GET', `/log/${log}/checkpoint`)
  return parseCheckpoint(parseNote(bytes).text)
}
const epochOf = async (log: LogName): Promise<number> => {
  const { logs } = LogList.parse((await registry.call('GET', '/api/v1/logs')).json)
  return logs.find((one) => one.log === log)?.epoch ?? -1
}
const standing = () =>
  Promise.all(LOGS.map(async (log) => ({ ...(await headOf(log)), is: await epochOf(log) })))
/** The root that a log had when it was shorter. */
async function rootAt(log: LogName, size: number): Promise<Buffer> {
  const { bytes } = await registry.call('GET', `/log/${log}/tile/0/000.p/${size}`)
  const leaves = Array.from({ length: size }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  )
  return frontierRoot(appendLeaves(EMPTY_FRONTIER, leaves).frontier)
}
const keyNamed = (name: string): NoteKey => noteKeyOf(name, 'note', identity.privateKey)
/** What is to be said of a log as it is now. */
async function honest(log: LogName): Promise<Recovery> {
  const { origin, size, root } = await headOf(log)
  const epoch = (await epochOf(log)) + 1
  return { origin, epoch, size, root, key: keyNamed(epochOrigin(origin, epoch)) }
}

type Change = (honest: Recovery, log: LogName) => Partial<Recovery> | Promise<Partial<Recovery>>
/** Statements about both logs: of one as it is, of `log` as it was changed. */
async function statements(
  log: LogName,
  change: Change,
  signer: NoteSignerKey = offline,
): Promise<Record<LogName, string>> {
  const signed = { catalog: '', revocations: '' }
  for (const each of LOGS) {
    const said = await honest(each)
    const changed = each === log ? { ...said, ...(await change(said, log)) } : said
    signed[each] = signRecovery(changed, each === log ? signer : offline)
  }
  return signed
}
const handIn = (body: Record<LogName, string>): Promise<Answer> =>
  registry.call('POST', '/api/v1/logs/recovery', { token: registry.admin, body })

/** What does not fit in any epoch. */
const MISFITS: [string, string, Change][] = [
  ['skips an epoch', 'log_recovery_invalid', ({ origin, epoch }) => named(origin, epoch + 1)],
  ['is about a log of another name', 'log_recovery_invalid', (_, log) => ({ origin: `elsewhere/${log}` })],
  ['is about the other log', 'log_recovery_invalid', (_, log) => honest(LOGS[log === 'catalog' ? 1 : 0])],
  ['begins with more entries than there are', 'log_recovery_invalid', ({ size }) => ({ size: size + 1 })],
  ['begins with another root', 'log_fork', () => ({ root: randomBytes(HASH_BYTES) })],
  ['begins earlier with another root', 'log_fork', () => ({ size: EARLIER, root: randomBytes(HASH_BYTES) })],
  ['begins earlier with the root of now', 'log_fork', () => ({ size: EARLIER })],
  ['begins with nothing and some root', 'log_fork', () => ({ size: 0 })],
  ['goes on by the key of another', 'log_recovery_invalid', ({ key }) => ({ key: newSigner(key.name).key })],
  [
    'goes on as the other log',
    'log_recovery_invalid',
    ({ key }, log) => ({ key: keyNamed(key.name.replace(log, LOGS[log === 'catalog' ? 1 : 0])) }),
  ],
  [
    'goes on under a name of another epoch',
    'log_recovery_invalid',
    ({ origin, epoch }) => ({ key: keyNamed(epochOrigin(origin, epoch + 1)) }),
  ],
  [
    'goes on under a name of another registry',
    'log_recovery_invalid',
    ({ key }) => ({ key: keyNamed(key.name.replace('test/', 'elsewhere/')) }),
  ],
]
const named = (origin: string, epoch: number): Partial<Recovery> => ({
  ...{ epoch, key: keyNamed(epochOrigin(origin, epoch)) },
})

/** Holds each of these against both logs: it is refused, and neither log is another. */
function refuses(misfits: readonly [string, string, Change][]): void {
  for (const log of LOGS)
    test.each(misfits)(`a statement on the ${log} that %s: %s`, async (_, code, change) => {
      const before = await standing()
      expect((await handIn(await statements(log, change))).code).toBe(code)
      expect(await standing()).toEqual(before)
    })
}

describe('before any epoch the registry refuses', () => {
  refuses(MISFITS)
  test('what another key signed, be it the log’s own; and everything where it knows no recovery key', async () => {
    const before = await standing()
    const own = { key: keyNamed('test/recovery'), privateKey: identity.privateKey }
    for (const signer of [newSigner('test/recovery'), own])
      for (const log of LOGS)
        expect((await handIn(await statements(log, () => ({}), signer))).code).toBe('log_untrusted')
    const keyless = databaseLogs(registry.database, { ...identity, recoveryKey: undefined }, () => new Date())
    const fit = await statements('catalog', () => ({}))
    await expect(keyless.beginAnew(fit, { kind: 'anonymous' })).rejects.toMatchObject({
      code: 'log_untrusted',
    })
    expect(await standing()).toEqual(before)
  })
})

/** Begins the next epoch, whose first entry names the statement; gives what was handed in. */
async function begin(change: Change = () => ({})): Promise<Record<LogName, string>> {
  const before = await standing()
  const fit = await statements('catalog', change)
  expect((await handIn(fit)).status).toBe(200)
  for (const [at, log] of LOGS.entries()) {
    const { size = 0, is = 0 } = before[at] ?? {}
    const now = await headOf(log)
    expect(now).toMatchObject({ origin: `test/epoch-${is + 1}/${log}`, size: size + 1 })
    const { entry } = PlacedEntryView.parse(
      (await registry.call('GET', `/api/v1/logs/${log}/entries/${size}`)).json,
    )
    const recovery = sha256Digest(Buffer.from(fit[log]))
    expect(parseEntry(Buffer.from(entry))).toMatchObject({ kind: 'epoch', epoch: is + 1, recovery })
  }
  return fit
}

describe('once an epoch began', () => {
  let first: Record<LogName, string>
  beforeAll(async () => {
    first = await begin()
  })
  test('the same statements again change nothing', async () => {
    const before = await standing()
    expect((await handIn(first)).status).toBe(200)
    expect(await standing()).toEqual(before)
  })
  describe('the registry refuses', () => {
    refuses([
      ...MISFITS,
      ['begins this epoch again, otherwise', 'log_recovery_invalid', otherFirst],
      [
        'begins this epoch again, from where the log is',
        'log_recovery_invalid',
        (_, log) => ({ epoch: 1, key: keyNamed(`test/epoch-2/${log}`) }),
      ],
      [
        'goes on under the first name',
        'log_recovery_invalid',
        (_, log) => ({ key: keyNamed(`test/${log}`) }),
      ],
    ])
  })
})

describe('once another epoch began', () => {
  beforeAll(async () => {
    await begin(async (_, log) => ({ size: EARLIER, root: await rootAt(log, EARLIER) })) // earlier, by its root
  })
  describe('the registry refuses', () => {
    refuses([
      ['begins the first epoch otherwise', 'log_recovery_invalid', otherFirst],
      [
        'begins an older epoch from where the log is',
        'log_recovery_invalid',
        (_, log) => ({ epoch: 1, key: keyNamed(`test/epoch-1/${log}`) }),
      ],
      [
        'goes on under a name that it had',
        'log_recovery_invalid',
        (_, log) => ({ key: keyNamed(`test/epoch-1/${log}`) }),
      ],
    ])
  })
})

/** What the first epoch could have begun with instead. */
async function otherFirst(_: Recovery, log: LogName): Promise<Partial<Recovery>> {
  const origin = `test/${log}`
  return { origin, size: EARLIER, root: await rootAt(log, EARLIER), ...named(origin, 1) }
}
