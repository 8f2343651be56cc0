import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import { type RegistryClient, registryClient } from '../../src/client/registry-client.ts'
import type { Observed } from '../../src/domain/node.ts'
import { newKey } from '../attest/craft.ts'

const never = new AbortController().signal
const observed: Observed = {
  at: '2026-06-01T12:00:00Z',
  agent: '0.1.0',
  functions: [],
  chains: [],
  errors: [],
}
const facts = (name: string) => ({
  name,
  labels: { role: 'edge' },
  kernel: '6.12',
  arch: 'x64',
  agent: '0.1.0',
})
let folder: string
let registry: Registry
let admin: RegistryClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hookline-client-'))
  await chmod(folder, 0o711) // the database's user walks through
  registry = await serve({ dataDir: join(folder, 'registry'), port: 0 })
  admin = registryClient(registry.url, registry.adminToken)
})
afterAll(async () => {
  await registry?.close()
  await rm(folder, { recursive: true, force: true })
})

describe('a node and a real registry', () => {
  test('join, ask, wait and report', async () => {
    const key = newKey()
    const node = nodeRegistry(registry.url, { key })
    const { secret } = await admin.createJoinToken({ maxUses: 1, labels: { role: 'edge' } })
    const publicKey = key.publicKey.spki.toString('base64')
    const { id } = await node.enrol({ token: secret, publicKey, facts: facts('edge-1') })

    const first = await node.desired(undefined, 0, never)
    expect(first?.desired.functions).toEqual([])
    expect(await node.desired(first?.etag, 0, never)).toBeUndefined()
    await node.report(observed)
    expect(await admin.nodes()).toMatchObject([
      { id, facts: { name: 'edge-1' }, key: key.fingerprint, observed },
    ])
  })

  test('a stranger cannot speak for the node, nor join without a token', async () => {
    const [known] = await admin.nodes()
    const stranger = nodeRegistry(registry.url, { id: known?.id, key: newKey() })
    await expect(stranger.report(observed)).rejects.toMatchObject({ code: 'node_unauthenticated' })
    await expect(stranger.desired(undefined, 0, never)).rejects.toMatchObject({
      code: 'node_unauthenticated',
    })
    const key = newKey()
    const publicKey = key.publicKey.spki.toString('base64')
    const joining = nodeRegistry(registry.url, { key }).enrol({
      token: 'none',
      publicKey,
      facts: facts('x'),
    })
    await expect(joining).rejects.toMatchObject({ code: 'join_token_refused' })
  })
})

describe('a person and a real registry', () => {
  test('page through what there is', async () => {
    expect(await admin.programs({ limit: 1 })).toEqual({ programs: [] })
    await expect(admin.program('acme/limit')).rejects.toMatchObject({ code: 'not_found' })
    await expect(admin.blob(`sha256:${'0'.repeat(64)}`, 10)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('without a token see no nodes', async () => {
    await expect(registryClient(registry.url).nodes()).rejects.toMatchObject({ code: 'unauthenticated' })
  })
})
