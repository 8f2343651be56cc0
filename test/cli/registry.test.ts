import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parsePrivateKey } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { registryClient } from '../../src/client/registry-client.ts'
import { parseFunction } from '../../src/domain/function.ts'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { hookline, type Run, scratch } from './hookline.ts'

const folder = await scratch()
let registry: Registry
/** The settings of the one who set the registry up, of a publisher, and of an operator. */
let admin: Record<string, string>
let publisher: Record<string, string>
let operator: Record<string, string>
let fingerprint: string

const as = (env: Record<string, string>, ...args: string[]): Promise<Run> => hookline(folder, args, env)
async function ok(env: Record<string, string>, ...args: string[]): Promise<string> {
  const run = await as(env, ...args)
  expect(run, run.stderr).toMatchObject({ code: 0 })
  return run.stdout
}
async function json(env: Record<string, string>, ...args: string[]): Promise<ReturnType<typeof JSON.parse>> {
  return JSON.parse(await ok(env, ...args, '--json'))
}
const functionFile = (use: string): string => `kind: function
name: edge
selector: { role: edge }
interfaces: [eth1]
instances: [{ use: ${use}, name: count }]
`

beforeAll(async () => {
  await chmod(folder, 0o711) // the database's user walks through
  registry = await serve({ dataDir: join(folder, 'registry'), port: 0 })
  const HOOKLINE_URL = registry.url
  admin = { HOOKLINE_URL, HOOKLINE_TOKEN: registry.adminToken ?? '' }
  await ok(admin, 'namespace', 'create', 'hookline')
  for (const name of ['publisher', 'stranger', 'operator', 'colleague']) await ok({}, 'keygen', '--out', name)
  fingerprint = (await json(admin, 'key', 'add', 'publisher.pub.pem', '--namespace', 'hookline')).fingerprint
  for (const name of ['operator', 'colleague']) await ok(admin, 'key', 'add', `${name}.pub.pem`, '--operator')
  await ok(admin, 'member', 'robot', 'hookline', 'ci')
  const publishing = [
    '--scope',
    'publish-new,publish-update,read,manage',
    '--account',
    'hookline.ci',
    '--ttl',
    '1h',
  ]
  const publish = await json(admin, 'token', 'create', ...publishing)
  await ok(admin, 'account', 'create', 'ops', '--fleet', 'operator')
  const fleet = await json(admin, 'token', 'create', '--account', 'ops', '--scope', 'read,node,order')
  publisher = { HOOKLINE_URL, HOOKLINE_TOKEN: publish.secret }
  operator = { HOOKLINE_URL, HOOKLINE_TOKEN: fleet.secret }
  for (const version of ['1.0.0', '1.1.0', '1.2.0'])
    buildProgram(join(PROGRAMS, 'counter'), { version, outDir: join(folder, `counter-${version}`) })
  for (const version of ['1.0.0', '1.1.0'])
    await ok(publisher, 'publish', `counter-${version}`, '--key', 'publisher.pem')
  buildProgram(join(PROGRAMS, 'ratelimit'), { version: '1.0.0', outDir: join(folder, 'ratelimit') })
  await ok(publisher, 'publish', 'ratelimit', '--key', 'publisher.pem')
}, 120_000)
afterAll(() => registry?.close())

describe('publish', () => {
  test('shows what it sends on standard error, and the release on standard output', async () => {
    const run = await as(publisher, 'publish', 'counter-1.2.0', '--key', 'publisher.pem')
    expect(run.code).toBe(0)
    expect(run.stdout).toBe(`published hookline/counter@1.2.0, signed by ${fingerprint}\n`)
    for (const file of ['hookline.yaml', 'counter.bpf.o', 'README.md']) expect(run.stderr).toContain(file)
  })

  test.each<[string, string[], () => Record<string, string>, number, string]>([
    ['unsigned', ['counter-1.1.0', '--unsigned'], () => publisher, 1, 'release_exists'],
    [
      'a version that exists',
      ['counter-1.1.0', '--key', 'publisher.pem'],
      () => publisher,
      1,
      'release_exists',
    ],
    [
      'with an operator’s token',
      ['counter-1.1.0', '--key', 'publisher.pem'],
      () => operator,
      1,
      'scope_missing',
    ],
  ])('is refused %s', async (_, args, who, exit, code) => {
    const run = await as(who(), 'publish', ...args)
    expect(run).toMatchObject({ code: exit, stdout: '' })
    expect(run.stderr).toContain(`[${code}]`)
  })

  test('of a new version is refused unsigned, or signed by a stranger', async () => {
    buildProgram(join(PROGRAMS, 'counter'), { version: '1.3.0', outDir: join(folder, 'counter-1.3.0') })
    const unsigned = await as(publisher, 'publish', 'counter-1.3.0', '--unsigned')
    expect(unsigned).toMatchObject({ code: 3, stdout: '' })
    expect(unsigned.stderr).toContain('[bundle_missing]')
    const stranger = await as(publisher, 'publish', 'counter-1.3.0', '--key', 'stranger.pem')
    expect(stranger).toMatchObject({ code: 3, stdout: '' })
    expect(stranger.stderr).toContain('[signer_not_allowed]')
    expect(stranger.stderr).toMatch(/key add <public key> --namespace <name>.*trust\.yaml/)
  })

  test('finds a mistake in the manifest before it asks the registry', async () => {
    buildProgram(join(PROGRAMS, 'counter'), { version: '1.4.0', outDir: join(folder, 'wrong') })
    const path = join(folder, 'wrong', 'hookline.yaml')
    await writeFile(path, (await readFile(path, 'utf8')).replace(/entry: \w+/, 'entry: no_such_entry'))
    const run = await as(
      { ...publisher, HOOKLINE_URL: 'http://127.0.0.1:9999' },
      'publish',
      'wrong',
      '--key',
      'publisher.pem',
    )
    expect(run.stderr).toContain('[entry_not_found]')
  })
})

describe('show, verify and pull', () => {
  test('show lists versions, newest first, and a release with its files', async () => {
    expect(await ok(admin, 'show', 'hookline/counter')).toMatch(/1\.2\.0[\s\S]*1\.1\.0[\s\S]*1\.0\.0/)
    const release = await ok(admin, 'show', 'hookline/counter@~1.1')
    expect(release).toContain('hookline/counter@1.1.0')
    expect(release).toContain('counter.bpf.o')
  })

  test('show lists the configuration that the release’s manifest names', async () => {
    const text = await ok(admin, 'show', 'hookline/ratelimit@1.0.0')
    expect(text).toContain('configuration, as its publisher says')
    expect(text).toMatch(/rate +u32 +packets\/s +1000 +0 +10000000 +Tokens that a source gains/)
    const { config } = await json(admin, 'show', 'hookline/ratelimit')
    expect(config).toBeUndefined() // versions only
    expect((await json(admin, 'show', 'hookline/ratelimit@^1')).config[0]).toMatchObject({
      name: 'rate',
      unit: 'packets/s',
      max: 10_000_000,
    })
    expect(await ok(admin, 'show', 'hookline/counter@1.0.0')).not.toContain('configuration')
  })

  test('show says what an item of a list is, and function show how many there are', async () => {
    await mkdir(join(folder, 'listed'))
    await writeFile(
      join(folder, 'listed', 'listed.bpf.o'),
      compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct cidr { __u32 prefixlen; __u8 address[4]; };
struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(max_entries, 50); __uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cidr); __type(value, __u32); } rules SEC(".maps");
SEC("xdp") int listed(void *ctx) { struct cidr key = { 32 }; return bpf_map_lookup_elem(&rules, &key) ? 1 : 2; }
`),
    )
    await writeFile(
      join(folder, 'listed', 'hookline.yaml'),
      `name: hookline/listed
version: 1.0.0
summary: A test
license: MIT
programs: [{ object: listed.bpf.o, entry: listed, hook: xdp }]
permissions: [drop]
config:
  - name: rules
    map: rules
    maxItems: 50
    key: { prefix: cidr }
    value: { action: { enum: { allow: 0, deny: 1 } } }
    default: [{ prefix: 10.0.0.0/8, action: deny }]
    help: Who may send
`,
    )
    await ok(publisher, 'publish', 'listed', '--key', 'publisher.pem')
    expect(await ok(admin, 'show', 'hookline/listed@1.0.0')).toMatch(
      /rules +list of \{ prefix: cidr, action: allow \| deny \} +1 item +50 items +Who may send/,
    )
    await writeFile(
      join(folder, 'listed.yaml'),
      functionFile('hookline/listed@1.0.0')
        .replace('edge\n', 'listed\n')
        .replace(
          'name: count',
          'config: { rules: [{ prefix: 10.0.0.1, action: deny }, { prefix: 10.0.0.2, action: allow }] }',
        ),
    )
    await ok(operator, 'function', 'apply', 'listed.yaml', '--key', 'operator.pem')
    expect(await ok(operator, 'function', 'show', 'listed')).toContain('rules=2 items')
    const path = join(folder, 'listed.yaml')
    await writeFile(path, (await readFile(path, 'utf8')).replace('10.0.0.2', '10.0.0.2/8'))
    const wrong = await as(operator, 'function', 'apply', 'listed.yaml', '--key', 'operator.pem')
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      expect.stringMatching(/rules\[1\]: prefix = "10\.0\.0\.2\/8" has bits beyond.*\[invalid_config\]/),
    ])
    const text = await readFile(path, 'utf8')
    for (const [prefix, why] of [
      ['fd00::/8', /rules\[1\]: prefix = "fd00::\/8" is not IPv4/],
      ['10.0.0.1', /rules\[1\] has the same key as rules\[0\]/],
    ] as const) {
      await writeFile(path, text.replace('10.0.0.2/8', `'${prefix}'`))
      const refused = await as(operator, 'function', 'apply', 'listed.yaml', '--key', 'operator.pem')
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(why)])
    }
  })

  test('verify resolves a range, and without one takes the newest', async () => {
    const trust = ['--signer', 'publisher.pub.pem']
    expect(await json(admin, 'verify', 'hookline/counter@~1.0', ...trust)).toMatchObject({ version: '1.0.0' })
    expect(await json(admin, 'verify', 'hookline/counter', ...trust)).toMatchObject({ version: '1.2.0' })
    const run = await as(admin, 'verify', 'hookline/counter@^9', ...trust)
    expect([run.code, run.stderr]).toEqual([4, expect.stringContaining('[version_not_found]')])
  })

  test('what is not there is not found', async () => {
    for (const ref of ['hookline/nothing', 'hookline/counter@9.9.9', 'hookline/counter@^9']) {
      const run = await as(admin, 'show', ref)
      expect([ref, run.code, run.stdout]).toEqual([ref, 4, ''])
    }
  })

  test('verify holds for the signer, by file or by fingerprint, and for nobody else', async () => {
    for (const signer of ['publisher.pub.pem', fingerprint])
      expect(
        await ok({ HOOKLINE_URL: registry.url }, 'verify', 'hookline/counter@1.0.0', '--signer', signer),
      ).toContain(`signed by ${fingerprint}`)
    const run = await as(admin, 'verify', 'hookline/counter@1.0.0', '--signer', 'stranger.pub.pem')
    expect(run).toMatchObject({ code: 3, stdout: '' })
    expect(run.stderr).toContain('[signer_not_allowed]')
  })

  test('pull by a policy writes the newest release that fits, and what it wrote verifies offline', async () => {
    const policy = `programs: [{ match: hookline/*, signers: [{ key: "${fingerprint}" }] }]\n`
    await writeFile(join(folder, 'trust.yaml'), policy)
    const pulled = await json(
      admin,
      'pull',
      'hookline/counter@^1.0 <1.2',
      '--out',
      'pulled',
      '--policy',
      'trust.yaml',
    )
    expect(pulled).toMatchObject({ version: '1.1.0', verified: true, signer: fingerprint })
    expect(await readFile(join(folder, 'pulled', 'counter.bpf.o'))).toEqual(
      await readFile(join(folder, 'counter-1.1.0', 'counter.bpf.o')),
    )
    await ok({}, 'verify', 'pulled', '--signer', 'publisher.pub.pem')
    expect(
      (await as(admin, 'pull', 'hookline/counter@1.1.0', '--out', 'pulled', '--policy', 'trust.yaml')).stderr,
    ).toContain('[file_exists]')
  })

  test('pull writes nothing that did not verify', async () => {
    const run = await as(
      admin,
      'pull',
      'hookline/counter@1.1.0',
      '--out',
      'refused',
      '--signer',
      'stranger.pub.pem',
    )
    expect(run).toMatchObject({ code: 3, stdout: '' })
    await expect(readFile(join(folder, 'refused', 'hookline.yaml'))).rejects.toThrow('ENOENT')
  })

  test('pull without trust says so loudly', async () => {
    const run = await as(admin, 'pull', 'hookline/counter@1.0.0', '--out', 'unverified', '--unverified')
    expect(run.code).toBe(0)
    expect(run.stderr).toMatch(/^WARNING: hookline\/counter@1\.0\.0 is NOT VERIFIED/)
    expect(run.stdout).toContain('NOT VERIFIED')
  })
})

describe('functions', () => {
  test('are applied, moved back to what ran before, and removed, each by a new revision', async () => {
    await writeFile(join(folder, 'edge.yaml'), functionFile('hookline/counter@1.0.0'))
    const plan = await json(operator, 'function', 'apply', 'edge.yaml', '--plan-only')
    expect(plan).toMatchObject({
      applied: false,
      resolutions: [{ use: 'hookline/counter@1.0.0', version: '1.0.0' }],
    })
    expect((await as(operator, 'function', 'show', 'edge')).code).toBe(4)

    expect(await ok(operator, 'function', 'apply', 'edge.yaml', '--key', 'operator.pem')).toContain(
      'edge revision 1 is applied',
    )
    await writeFile(join(folder, 'edge.yaml'), functionFile('hookline/counter@~1.1'))
    expect(await json(operator, 'function', 'apply', 'edge.yaml', '--key', 'operator.pem')).toEqual({
      name: 'edge',
      revision: 2,
      resolutions: [{ use: 'hookline/counter@~1.1', version: '1.1.0' }],
      nodes: { selected: 0, silent: 0, enrolled: 0 },
    })

    const back = await json(operator, 'function', 'rollback', 'edge', '--key', 'operator.pem')
    expect(back).toMatchObject({ revision: 3, from: { revision: 1 }, pins: ['hookline/counter@1.0.0'] })
    const named = await json(
      operator,
      'function',
      'rollback',
      'edge',
      '--key',
      'operator.pem',
      '--to-revision',
      '2',
    )
    expect(named).toMatchObject({ revision: 4, pins: ['hookline/counter@1.1.0'] })

    const shown = await ok(operator, 'function', 'show', 'edge')
    for (const part of ['role=edge', 'eth1', 'hookline/counter@1.1.0', 'revision  from'])
      expect(shown).toContain(part)
    expect(await ok(operator, 'function', 'list')).toMatch(/edge +4 +applied/)
    expect(await ok(operator, 'function', 'remove', 'edge', '--key', 'operator.pem')).toContain(
      'removed by revision 5',
    )
    expect(await json(operator, 'function', 'show', 'edge')).toMatchObject({ state: 'removed', revision: 5 })
    expect(await ok(operator, 'function', 'remove', 'edge', '--key', 'operator.pem')).toContain(
      'removed already, by revision 5; nothing was signed',
    )

    // what ran last, not what ran before that
    const again = await json(operator, 'function', 'rollback', 'edge', '--key', 'operator.pem')
    expect(again).toMatchObject({ revision: 6, from: { revision: 4 }, pins: ['hookline/counter@1.1.0'] })
  })

  test('a range without a release is said to resolve to nothing', async () => {
    await writeFile(
      join(folder, 'later.yaml'),
      functionFile('hookline/counter@^7').replace('edge\n', 'later\n'),
    )
    expect(await ok(operator, 'function', 'apply', 'later.yaml', '--plan-only')).toContain('no release fits')
  })

  test('are not applied with a key that is no operator’s', async () => {
    await writeFile(
      join(folder, 'other.yaml'),
      functionFile('hookline/counter@^1').replace('edge\n', 'other\n'),
    )
    const run = await as(operator, 'function', 'apply', 'other.yaml', '--key', 'stranger.pem')
    expect(run).toMatchObject({ code: 3, stdout: '' })
    expect(run.stderr).toContain('[operator_not_allowed]')
    expect(run.stderr).toMatch(/key add <public key> --operator.*trust\.yaml/)
  })

  test('are not moved back to what another operator ordered, unless that one is named', async () => {
    const spec = parseFunction(functionFile('hookline/counter@1.0.0').replace('edge\n', 'shared\n'))
    const client = registryClient(registry.url, operator['HOOKLINE_TOKEN'])
    const colleague = parsePrivateKey(await readFile(join(folder, 'colleague.pem'), 'utf8'))
    await client.putFunction('shared', signOrder({ kind: 'apply', revision: 1, function: spec }, colleague))
    await writeFile(
      join(folder, 'shared.yaml'),
      functionFile('hookline/counter@1.1.0').replace('edge\n', 'shared\n'),
    )
    const named = ['--operator-key', 'colleague.pub.pem']
    await ok(operator, 'function', 'apply', 'shared.yaml', '--key', 'operator.pem', ...named)

    const alone = await as(operator, 'function', 'rollback', 'shared', '--key', 'operator.pem')
    expect(alone).toMatchObject({ code: 3, stdout: '' })
    expect(alone.stderr).toContain('[operator_not_allowed]')
    expect(
      await json(operator, 'function', 'rollback', 'shared', '--key', 'operator.pem', ...named),
    ).toMatchObject({
      revision: 3,
      pins: ['hookline/counter@1.0.0'],
    })
  })
})

describe('access and nodes', () => {
  test('keys are listed by whom they sign for', async () => {
    expect(await ok(admin, 'key', 'list', '--namespace', 'hookline')).toContain(fingerprint)
    expect((await json(admin, 'key', 'list', '--operator')).keys).toHaveLength(2)
  })

  test('a namespace is made once, and only by an admin', async () => {
    expect((await as(admin, 'namespace', 'create', 'hookline')).stderr).toContain('[namespace_exists]')
    expect((await as(publisher, 'namespace', 'create', 'other')).stderr).toContain('[forbidden]')
  })

  test('a wrong token is refused', async () => {
    const run = await as({ ...admin, HOOKLINE_TOKEN: 'wrong' }, 'node', 'list')
    expect([run.code, run.stdout]).toEqual([1, ''])
    expect(run.stderr).toContain('[unauthenticated]')
  })

  test('a join token is made, and there are no nodes yet', async () => {
    expect((await json(operator, 'node', 'token', '--ttl', '1h', '--uses', '2')).secret).toMatch(/.{16,}/)
    const labelled = await ok(
      operator,
      'node',
      'token',
      '--label',
      'role=edge',
      'site=a b',
      '--free-label',
      'rack',
    )
    expect(labelled).toContain("--trust <trust.yaml> --label role=edge --label site='a b'")
    expect((await as(operator, 'node', 'token', '--free-label', 'No Key')).stderr).toContain('[usage]')
    const listed = await ok(operator, 'node', 'tokens')
    expect(listed).toMatch(/role=edge,site=a b,rack=\? +1 of 1 /)
    const id = /id +([0-9a-f-]{36})/.exec(labelled)?.[1] ?? ''
    expect(await ok(operator, 'node', 'token-revoke', id)).toContain(`no node joins by ${id}`)
    expect(await ok(operator, 'node', 'tokens')).not.toContain(id)
    expect((await as(operator, 'node', 'token-revoke', id)).code).toBe(4)
    expect(await ok(operator, 'node', 'list')).toBe('no nodes; let one join: hookline node token\n')
    expect(await ok(operator, 'status')).toBe('no nodes\n')
    expect((await as(operator, 'node', 'show', 'nobody')).code).toBe(4)
  })
})
