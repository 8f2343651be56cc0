import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { openAgentState } from '../../src/store/agent-state.ts'
import { formatNoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { hookline, type Run, scratch } from './hookline.ts'

const folder = await scratch()
const KEY = `sha256:${'5f'.repeat(32)}`
const LOG = formatNoteKey(
  noteKeyOf('registry.example/catalog', 'note', generateKeyPairSync('ed25519').publicKey),
)
const RULE = { match: 'acme/*', signers: [{ key: KEY }], permissions: ['drop', 'redirect'] }
const OWNED = { kind: 'policy', name: 'edge', selector: { role: 'edge' }, operators: [{ key: KEY }] }
const write = (name: string, content: string | object): Promise<void> =>
  writeFile(join(folder, name), typeof content === 'string' ? content : stringify(content))
const run = (...args: string[]): Promise<Run> => hookline(folder, ['trust', ...args])
const errorOf = async (...args: string[]): Promise<{ code: string; message: string }> =>
  JSON.parse((await run(...args, '--json')).stdout).error

beforeAll(async () => {
  await openAgentState(join(folder, 'state'))
  await write('owners.yaml', { ...OWNED, programs: [RULE] })
  await write('logged.yaml', { log: { key: LOG }, programs: [RULE] })
  await hookline(folder, ['keygen', '--out', 'owner'])
})

describe('a policy that the agent refuses', () => {
  const log = `log: { key: "${LOG.replace(/\+[0-9a-f]{8}\+/, '+00000000+')}" }\n`
  test.each(['check', 'show'])('is refused by trust %s, by the name of its file', async (command) => {
    await write('new.yaml', log)
    const flags = command === 'check' ? ['--state', 'state'] : []
    const error = await errorOf(command, 'new.yaml', ...flags)
    expect(error).toMatchObject({ code: 'invalid_policy' })
    expect(error.message).toMatch(/^new\.yaml: log\.key: .*the id is not that of the key/)
  })
  test('is no trouble with the right id', async () => {
    expect(await run('check', 'logged.yaml', '--state', 'state')).toMatchObject({ code: 0 })
  })
  test('is named with the line that is wrong', async () => {
    await write('typo.yaml', 'programs: []\noperator: []\n')
    expect((await errorOf('show', 'typo.yaml')).message).toMatch(/^typo\.yaml: line 2/)
  })
})

test('a directory that is none of an agent is called so', async () => {
  const error = await errorOf('check', 'logged.yaml', '--state', 'nowhere')
  expect(error).toMatchObject({ code: 'file_unreadable' })
  expect(error.message).toContain('no agent has run in nowhere')
})

describe('trust show', () => {
  const shown = async (file: string): Promise<[text: string, json: ReturnType<typeof JSON.parse>]> => [
    (await run('show', file)).stdout,
    JSON.parse((await run('show', file, '--json')).stdout),
  ]
  test('names permissions, signers, age and log of a trust.yaml', async () => {
    const [text, json] = await shown('logged.yaml')
    expect(text).toMatch(/permissions +drop, redirect/)
    expect(text).toMatch(/signers +1 of 1: sha256:5f/)
    expect(text).toMatch(/minimum age +none/)
    expect(text).toMatch(/log +registry\.example\/catalog/)
    expect(json).toMatchObject({ log: { key: LOG }, programs: [{ permissions: ['drop', 'redirect'] }] })
  })
  test('says what is not asked for', async () => {
    await write('bare.yaml', { programs: [{ match: 'acme/*', signers: [{ key: KEY }] }] })
    const [text, json] = await shown('bare.yaml')
    expect(text).toMatch(/operators +none: no order is obeyed/)
    expect(text).toMatch(/permissions +none/)
    expect(text).toMatch(/log +none/)
    expect(json.log).toBe(undefined)
  })
  test('names owners and floor in place of operators', async () => {
    await write('owned.yaml', { owners: [{ key: KEY }], floor: { minSigners: 2 } })
    const [text, json] = await shown('owned.yaml')
    expect(text).toMatch(/owners +sha256:5f.*\nfloor +minSigners 2/)
    expect(text).not.toMatch(/^operators/m)
    expect(json).toMatchObject({ owners: [{ key: KEY }], floor: { minSigners: 2 } })
  })
  test('reads a policy of owners, before and after it is signed', async () => {
    const [text, json] = await shown('owners.yaml')
    expect(text).toMatch(/policy +edge\nrevision +not signed yet\nnodes +role=edge/)
    expect(json).toMatchObject({ name: 'edge', programs: [{ match: 'acme/*' }] })
    const sign = ['sign', 'owners.yaml', '--revision', '3', '--key', 'owner.pem', '--out', 'owners.json']
    expect(await run(...sign)).toMatchObject({ code: 0 })
    const [signed, document] = await shown('owners.json')
    expect(signed).toMatch(/revision +3\nsigned by +sha256:[0-9a-f]{64} \(nodes check it\)/)
    expect(document).toMatchObject({ name: 'edge', revision: 3 })
  })
  test('refuses one that is neither', async () => {
    await write('other.yaml', { kind: 'function', name: 'edge' })
    expect(await errorOf('show', 'other.yaml')).toMatchObject({ code: 'invalid_policy' })
    await write('other.json', '{"payload":""}')
    expect(await errorOf('show', 'other.json')).toMatchObject({ code: 'policy_document_invalid' })
  })
})

describe('policies of owners at a registry', () => {
  let registry: RunningRegistry
  beforeAll(async () => {
    registry = await startRegistry()
  })
  afterAll(() => registry.close())
  const at = async (...args: string[]): Promise<ReturnType<typeof JSON.parse>> => {
    const env = { HOOKLINE_URL: registry.url, HOOKLINE_TOKEN: registry.admin }
    return JSON.parse((await hookline(folder, ['trust', ...args, '--json'], env)).stdout)
  }
  const sign = (out: string, key = 'owner.pem', ...flags: string[]) =>
    at('sign', 'owners.yaml', '--key', key, '--out', out, ...flags)
  const push = (file: string) => at('push', file, '--public-key', 'owner.pub.pem')

  test('are signed as the next revision, pushed and listed', async () => {
    expect(await at('list')).toEqual({ policies: [] })
    for (const revision of [1, 2]) {
      expect(await sign(`next-${revision}.json`)).toMatchObject({ revision })
      expect(await push(`next-${revision}.json`)).toMatchObject({ name: 'edge', revision })
    }
    expect((await at('list')).policies).toMatchObject([{ name: 'edge', revision: 2 }])
    expect((await push('next-1.json')).error.code).toBe('revision_conflict')
  })
  test('have no next revision by the word of a registry: it is another owner’s', async () => {
    await hookline(folder, ['keygen', '--out', 'other'])
    expect((await sign('other.json', 'other.pem')).error.code).toBe('owner_not_allowed')
    expect(await sign('mine.json', 'other.pem', '--revision', '9')).toMatchObject({ revision: 9 })
  })
  test('need the number where there is no registry', async () => {
    const flags = ['--key', 'owner.pem', '--out', 'offline.json']
    expect(await errorOf('sign', 'owners.yaml', ...flags)).toMatchObject({ code: 'usage' })
  })
})
