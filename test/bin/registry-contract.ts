import { expect, test } from 'vitest'
import type { Registry } from '../../src/bin/serve.ts'
import { Desired } from '../../src/domain/node.ts'
import { ReleaseView } from '../../src/domain/release.ts'
import { applyOrder, enrolledNode, putFunction, removeOrder } from '../http/enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from '../http/release-builder.ts'
import { type CallOptions, callAt } from '../http/running-registry.ts'

const at = ({ url }: Registry, admin: string) => ({
  admin,
  call: (method: string, path: string, options?: CallOptions) => callAt(url, method, path, options),
})

/**
 * What a registry must do, wherever its database and its blobs are. `start` gives two that share both, or one and
 * undefined; `admin` is the token of the first start.
 */
export function registryContract(
  start: () => Promise<{ first: Registry; second: Registry | undefined; admin: string }>,
): void {
  test('a release that is published at one, and an order given to it, reach a node at the other', async () => {
    const { first, second, admin } = await start()
    const [here, there] = [at(first, admin), at(second ?? first, admin)]
    const [publisher, operator] = [newKey(), newKey('ed25519')]
    await openNamespace(here, 'acme', publisher)
    await addKey(here, '/api/v1/operators/keys', operator)
    const release = await buildRelease('acme/limit', '1.0.0', publisher)
    expect((await publishAt(here, release)).status).toBe(201)
    expect((await publishAt(there, release)).code).toBe('release_exists')

    const view = ReleaseView.parse(
      (await there.call('GET', '/api/v1/programs/acme/limit/versions/1.0.0')).json,
    )
    expect(view.files.length).toBe(release.files.size)
    for (const { name, digest } of view.files) {
      const blob = await there.call('GET', `/api/v1/blobs/${digest}`)
      expect(blob.bytes.equals(release.files.get(name) ?? Buffer.alloc(0))).toBe(true)
      const part = await there.call('GET', `/api/v1/blobs/${digest}`, { headers: { range: 'bytes=1-3' } })
      expect([part.status, part.bytes]).toEqual([206, release.files.get(name)?.subarray(1, 4)])
    }

    const node = await enrolledNode(there, 'node-1', { role: 'edge' })
    const { etag } = await node.desired()
    const waiting = node.poll(etag, 20)
    expect((await putFunction(here, 'edge', applyOrder('edge', 1, operator))).status).toBe(200)
    const desired = Desired.parse((await waiting).json)
    expect(desired.functions).toMatchObject([{ name: 'edge', revision: 1 }])
    expect(desired.resolutions).toEqual([{ use: 'acme/limit@^1.0', version: '1.0.0' }])
    expect(desired.releases.map(({ version }) => version)).toEqual(['1.0.0'])
    const stale = await putFunction(there, 'edge', applyOrder('edge', 1, operator))
    expect(stale.code).toBe('revision_conflict')

    const ended = await there.call('DELETE', '/api/v1/functions/edge', {
      token: admin,
      body: { envelope: removeOrder('edge', 2, operator) },
    })
    expect(ended.status).toBe(200)
    expect((await here.call('GET', '/readyz')).status).toBe(200)
  }, 60_000)
}
