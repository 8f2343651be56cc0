import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { identitySettings } from '../../src/bin/identity-settings.ts'
import { LogName } from '../../src/domain/log.ts'
import { PATIENT } from '../../src/http/protection.ts'
import type { Cosigned } from '../../src/ports/log.ts'
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { parseNote, signatureLine } from '../../src/tlog/note.ts'
import { noteKeyOf } from '../../src/tlog/note-key.ts'
import { epochOrigin, signRecovery } from '../../src/tlog/recovery.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { newLogIdentity } from '../support/log-identity.ts'
import { newSigner } from '../support/memory-log.ts'

const [witness, recovery] = [newSigner('witness.test', 'cosignature'), newSigner('recovery.test')]
const logIdentity = { ...newLogIdentity('registry.test'), recoveryKey: recovery.key }
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry(PATIENT, identitySettings({}), { logIdentity })
})
afterAll(() => registry.close())

/** The newest checkpoint of the catalog's log, and the witness's signature of it. */
async function cosigned(): Promise<Cosigned> {
  const note = await registry.services.logs.checkpoint('catalog')
  return { note, line: signatureLine(parseNote(note).text, witness, Math.floor(Date.now() / 1000)) }
}
const keep = (signed: Cosigned) => registry.services.logs.addCosignature('catalog', witness.key.name, signed)
const witnessed = () => registry.services.logs.witnessed('catalog', [witness.key.id.toString('hex')], 1)

/** Begins both logs anew, with all that they have. */
async function beginAnew(): Promise<void> {
  const { logs } = registry.services
  const statement = async (log: LogName): Promise<[LogName, string]> => {
    const { origin, size, root } = parseCheckpoint(parseNote(await logs.checkpoint(log)).text)
    const epoch = (await logs.epoch(log)) + 1
    const key = noteKeyOf(epochOrigin(origin, epoch), 'note', logIdentity.privateKey)
    return [log, signRecovery({ origin, epoch, size, root, key }, recovery)]
  }
  const statements = Object.fromEntries(await Promise.all(LogName.options.map(statement)))
  await logs.beginAnew({ catalog: '', revocations: '', ...statements }, { kind: 'anonymous' })
}

beforeEach(async () => {
  await registry.database.prisma.logCosignature.deleteMany()
})

test('a cosignature is kept with the checkpoint that it is of', async () => {
  const signed = await cosigned()
  await keep(signed)
  expect(await witnessed()).toBe(signed.note + signed.line)
})
test('one that is late is left out, when the log was begun anew meanwhile', async () => {
  const signed = await cosigned()
  await beginAnew()
  await keep(signed)
  expect(await witnessed()).toBeUndefined()
  const anew = await cosigned()
  await keep(anew)
  expect(await witnessed()).toBe(anew.note + anew.line)
})
test('one that comes while the log is begun anew waits, and is left out then', async () => {
  const signed = await cosigned()
  const keeping = await registry.database.transact(async (transaction) => {
    await transaction.logTree.update({ where: { log: 'catalog' }, data: { origin: 'registry.test/anew' } })
    const done = keep(signed)
    // time enough to be kept, were it not to wait
    await new Promise((later) => setTimeout(later, 500))
    return { done }
  })
  await keeping.done
  expect(await registry.database.prisma.logCosignature.count()).toBe(0)
})
