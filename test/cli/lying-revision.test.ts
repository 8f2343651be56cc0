import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { generateKeyPair, type PrivateKey, parsePrivateKey, sha256Digest } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { runCli } from '../../src/cli/run.ts'
import { parseFunction } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { HttpDouble, json } from '../client/double.ts'
import { memoryIo, scratch } from './hookline.ts'

const folder = await scratch()
const file = (name: string): string => join(folder, name)
async function operator(name: string): Promise<PrivateKey> {
  const pair = generateKeyPair('ed25519')
  await writeFile(file(`${name}.pem`), pair.privateKey)
  await writeFile(file(`${name}.pub.pem`), pair.publicKey)
  return parsePrivateKey(pair.privateKey)
}
const own = await operator('own')
const colleague = await operator('colleague')

const functionText = (name: string, config = '{}'): string => `kind: function
name: ${name}
selector: { role: edge }
interfaces: [eth1]
instances: [{ use: acme/limit@^1.0, name: limit, config: ${config} }]
`
await writeFile(file('edge.yaml'), functionText('edge'))
const apply = (name: string, revision: number, key: PrivateKey): string =>
  signOrder({ kind: 'apply', revision, function: parseFunction(functionText(name)) }, key)
const remove = (name: string, revision: number, key: PrivateKey): string =>
  signOrder({ kind: 'remove', revision, name }, key)

const manifest = Buffer.from(`name: acme/limit
version: 1.4.0
summary: Limits
license: MIT
programs: [{ object: limit.bpf.o, entry: xdp_limit, hook: xdp }]
config: [{ name: rate, variable: cfg_rate, type: u32, default: 5, min: 1, max: 9 }]
`)
const at = '2026-06-01T12:00:00Z'
const resolutions = [{ use: 'acme/limit@^1.0', version: '1.4.0' }]
const release = {
  ...{ program: 'acme/limit', version: '1.4.0', bundle: '', signer: own.fingerprint, publishedAt: at },
  ...{ summary: 'Limits', license: 'MIT', hooks: ['xdp'], permissions: [], signers: [] },
  files: [{ name: 'hookline.yaml', digest: sha256Digest(manifest), size: manifest.length }],
}
const node = (id: string, labels: Record<string, string>) => ({
  ...{ id, key: own.fingerprint, keySince: at, enrolledAt: at },
  facts: { name: id, labels, kernel: '6.12', arch: 'x64', agent: '0.1.0' },
})

/** What the registry says of function edge. */
interface Claim {
  readonly revision: number
  readonly state?: 'applied' | 'removed'
  readonly envelope: string
  readonly steps?: { revision: number; envelope: string; version: string }[]
  readonly nodes?: object[]
}
let double: HttpDouble | undefined
afterEach(async () => {
  await double?.close()
  double = undefined
})

/** Runs a command against a registry that makes this claim, or knows no function; gives what was handed in. */
async function run(claim: Claim | undefined, ...args: string[]) {
  const signed: string[] = []
  double = await HttpDouble.start(({ method, path, body }, response) => {
    const view = { name: 'edge', state: 'applied', appliedAt: at, resolutions, ...claim }
    const { steps = [], nodes = [], ...shown } = view as typeof view & Claim
    if (method === 'PUT' || method === 'DELETE') {
      const { envelope } = JSON.parse(body.toString())
      signed.push(JSON.parse(Buffer.from(JSON.parse(envelope).payload, 'base64').toString()))
      return json(response, 200, { ...shown, revision: 1, envelope })
    }
    if (path.endsWith('/history'))
      return json(response, 200, {
        steps: steps.map(({ version, ...step }) => ({
          ...step,
          at,
          resolutions: [{ use: 'acme/limit@^1.0', version }],
        })),
      })
    if (path.startsWith('/api/v1/functions/'))
      return claim === undefined
        ? json(response, 404, { code: 'not_found', detail: 'none' })
        : json(response, 200, shown)
    if (path === '/api/v1/nodes') return json(response, 200, { nodes })
    if (path.startsWith('/api/v1/blobs/')) return response.end(manifest)
    if (path.includes('/versions/')) return json(response, 200, release)
    const versions = [{ version: '1.4.0', publishedAt: at, signer: own.fingerprint }]
    return json(response, 200, { program: 'acme/limit', summary: 'x', versions })
  })
  const io = memoryIo()
  const notHere = (): Promise<never> => Promise.reject(new Error('not here'))
  const flags = ['--key', file('own.pem'), '--url', double.url, '--token', 't']
  const services = {
    serve: notHere,
    witness: notHere,
    agent: notHere,
    doctor: notHere,
    verifyRunning: notHere,
  }
  const code = await runCli(['function', ...args, ...flags], io, services, '0')
  return { code, signed, io }
}
const APPLY = ['apply', file('edge.yaml')]
const REMOVE = ['remove', 'edge']
const ROLLBACK = ['rollback', 'edge']
const past = (key: PrivateKey) => [
  { revision: 3, envelope: apply('edge', 3, key), version: '1.4.0' },
  { revision: 2, envelope: apply('edge', 2, key), version: '1.3.0' },
]

describe('the next revision', () => {
  test.each([
    ['apply', APPLY],
    ['remove', REMOVE],
    ['rollback', ROLLBACK],
  ])('of %s follows the one that was signed', async (_, args) => {
    const claim = { revision: 3, envelope: apply('edge', 3, own), steps: past(own) }
    const { code, signed, io } = await run(claim, ...args)
    expect(code, io.err).toBe(0)
    expect(signed).toMatchObject([{ revision: 4 }])
  })

  test('of a function that is new is the first', async () => {
    expect((await run(undefined, ...APPLY)).signed).toMatchObject([{ revision: 1 }])
  })

  const jump = LIMITS.revision_most - 1
  test.each<[string, Claim, string]>([
    [
      'claims another revision than was signed',
      { revision: jump, envelope: apply('edge', 3, own) },
      'order_invalid',
    ],
    [
      'shows an order of another function',
      { revision: jump, envelope: apply('other', jump, own) },
      'order_invalid',
    ],
    [
      'shows an order of a stranger',
      { revision: jump, envelope: apply('edge', jump, colleague) },
      'operator_not_allowed',
    ],
    [
      'shows an order whose signature does not hold',
      {
        revision: jump,
        envelope: JSON.stringify({
          ...JSON.parse(apply('edge', jump, own)),
          signatures: JSON.parse(apply('edge', 3, own)).signatures,
        }),
      },
      'order_signature_invalid',
    ],
  ])('is not signed when the registry %s', async (_, claim, code) => {
    for (const args of [APPLY, REMOVE, ROLLBACK]) {
      const refused = await run({ ...claim, steps: past(own) }, ...args)
      expect([refused.code, refused.signed]).toEqual([3, []])
      expect(refused.io.err).toContain(`[${code}]`)
      await double?.close()
    }
  })

  test('of a colleague’s function needs his key, or trust in the registry', async () => {
    const claim = { revision: 7, envelope: apply('edge', 7, colleague) }
    const alone = await run(claim, ...APPLY)
    expect(alone.io.err).toMatch(/--operator-key.*--trust-registry-revision/)
    for (const flags of [['--operator-key', file('colleague.pub.pem')], ['--trust-registry-revision']]) {
      await double?.close()
      expect((await run(claim, ...APPLY, ...flags)).signed).toMatchObject([{ revision: 8 }])
    }
  })

  test('a removal that is only claimed does not keep from removing', async () => {
    const lie = { revision: 3, state: 'removed' as const, envelope: apply('edge', 3, own) }
    expect((await run(lie, ...REMOVE)).signed).toMatchObject([{ kind: 'remove', revision: 4 }])
    await double?.close()
    const truth = { revision: 3, state: 'removed' as const, envelope: remove('edge', 3, own) }
    expect(await run(truth, ...REMOVE)).toMatchObject({ code: 0, signed: [] })
  })

  test('nothing is pinned to a step whose order is not signed, whatever is trusted of its number', async () => {
    const claim = { revision: 3, envelope: apply('edge', 3, own), steps: past(colleague) }
    const refused = await run(claim, ...ROLLBACK, '--trust-registry-revision')
    expect([refused.code, refused.signed]).toEqual([3, []])
    expect(refused.io.err).toContain('[operator_not_allowed]')
  })
})

describe('before it signs, apply', () => {
  test.each([
    ['an unknown name', '{ rte: 5 }', 'no configuration "rte"'],
    ['another type', '{ rate: true }', 'is not of type u32'],
    ['a value above the bound', '{ rate: 10 }', 'above its maximum 9'],
    ['a value below the bound', '{ rate: 0 }', 'below its minimum 1'],
  ])('refuses %s of configuration by the manifest', async (_, config, why) => {
    await writeFile(file('wrong.yaml'), functionText('edge', config))
    for (const flags of [[], ['--plan-only']]) {
      const refused = await run(undefined, 'apply', file('wrong.yaml'), ...flags)
      expect([refused.code, refused.signed]).toEqual([1, []])
      expect(refused.io.err).toContain('instance limit by acme/limit@1.4.0')
      expect(refused.io.err).toContain(why)
      expect(refused.io.err).toContain('[invalid_config]')
      await double?.close()
    }
  })

  test.each([
    [
      'an entry that the release does not have',
      '{ xdp_lmit: [pass] }',
      'there is no entry xdp_lmit; it has: ',
    ],
    ['a verdict of another hook', '{ xdp_limit: [ok] }', '"ok" is no verdict of xdp; it has: aborted, drop'],
  ])('refuses %s in proceed by the manifest', async (_, proceed, why) => {
    await writeFile(file('wrong.yaml'), functionText('edge', `{}, proceed: ${proceed}`))
    const refused = await run(undefined, 'apply', file('wrong.yaml'))
    expect([refused.code, refused.signed]).toEqual([1, []])
    expect(refused.io.err).toContain('instance limit by acme/limit@1.4.0')
    expect(refused.io.err).toContain(why)
    expect(refused.io.err).toContain('[invalid_function]')
  })

  test('warns of a range that no release fits, and signs all the same', async () => {
    await writeFile(file('typo.yaml'), functionText('edge').replace('@^1.0', '@^9.0'))
    const { io, signed } = await run(undefined, 'apply', file('typo.yaml'))
    expect(io.err).toContain('warning: no published release fits acme/limit@^9.0')
    expect(signed).toHaveLength(1)
    await double?.close()
    expect((await run(undefined, ...APPLY)).io.err).not.toContain('no published release')
  })

  test('says how many enrolled nodes the selector meets', async () => {
    const nodes = [
      node('a', { role: 'edge' }),
      node('b', { role: 'core' }),
      node('c', { role: 'edge', x: '1' }),
    ]
    const claim = { revision: 3, envelope: apply('edge', 3, own), nodes }
    const { io } = await run(claim, ...APPLY)
    expect(io.out).toContain('for 2 of 3 enrolled nodes')
    expect(io.err).not.toContain('warning')
    await double?.close()
    const asJson = await run(claim, ...APPLY, '--json')
    expect(JSON.parse(asJson.io.out)).toMatchObject({ nodes: { selected: 2, silent: 0, enrolled: 3 } })
  })

  test('and how many of them are silent', async () => {
    const report = { at, agent: '0.1.0', functions: [], chains: [], errors: [] }
    const seen = (id: string, lastSeenAt: string) => ({
      ...{ ...node(id, { role: 'edge' }), observed: report, lastSeenAt },
    })
    const nodes = [seen('a', at), seen('b', new Date().toISOString())]
    const { io } = await run({ revision: 3, envelope: apply('edge', 3, own), nodes }, ...APPLY)
    expect(io.out).toContain('for 2 of 2 enrolled nodes, of which 1 is silent\n')
  })

  test('warns when that is none, and signs all the same', async () => {
    const claim = { revision: 3, envelope: apply('edge', 3, own), nodes: [node('b', { role: 'core' })] }
    const { io, signed } = await run(claim, ...APPLY)
    expect(io.err).toContain('warning: no enrolled node')
    expect(signed).toHaveLength(1)
  })
})
