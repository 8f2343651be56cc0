import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NodeList } from '../../src/domain/node.ts'
import { ATTACKS } from './attacks.ts'
import { type RegistryScene, startRegistryScene } from './registry-scene.ts'

const rows = ATTACKS.flatMap(({ name, registry }) => ('code' in registry ? [{ name, ...registry }] : []))

describe('at the registry fails', () => {
  let scene: RegistryScene
  beforeAll(async () => {
    scene = await startRegistryScene()
  })
  afterAll(() => scene?.close())

  /** What anybody could have changed: both logs, the catalog, the orders in force, and who is a node by which key. */
  async function standing(): Promise<string[]> {
    const { call, admin } = scene.registry
    const paths = ['/api/v1/programs/acme/knob', '/api/v1/functions']
    const shown = await Promise.all(paths.map((path) => call('GET', path, { token: admin })))
    const heads = await Promise.all(
      ['catalog', 'revocations'].map((log) => call('GET', `/log/${log}/checkpoint`)),
    )
    const { nodes } = NodeList.parse((await call('GET', '/api/v1/nodes', { token: admin })).json)
    return [
      ...nodes.map(({ id, key, facts }) => JSON.stringify([id, key, facts])),
      ...shown.map(({ bytes }) => bytes.toString('base64')),
      ...heads.map(({ bytes }) => bytes.toString().split('\n').slice(0, 3).join(' ')), // without the signature of the time
    ]
  }

  test.each(rows)('$name: $code', async ({ mount, code }) => {
    const before = await standing()
    const answer = await mount(scene)
    expect(answer.code).toBe(code)
    expect(await standing()).toEqual(before)
    expect(scene.registry.failures).toEqual([])
  })

  test('and what is honest is still taken', async () => {
    expect((await scene.publish(scene.next)).status).toBe(201)
  })
})
