import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { ProgramView, ReleaseView } from '../../src/domain/release.ts'
import { Problem } from '../../src/http/problem.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm, xdpObject } from './release-builder.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

const key = newKey()
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  await openNamespace(registry, 'other', newKey())
})
afterAll(() => registry.close())

const files = async (): Promise<string[]> =>
  (await readdir(join(registry.dataDir, 'blobs'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)

test('a signed release becomes visible, whole, with its bytes', async () => {
  const release = await buildRelease('acme/whole', '1.0.0', key, {
    manifest: { readme: 'README.md' },
    files: [['README.md', Buffer.from('# whole')]],
  })
  const { status, json, headers } = await publishAt(registry, release)
  const view = ReleaseView.parse(json)
  expect(status).toBe(201)
  expect(headers.get('location')).toBe('/api/v1/programs/acme/whole/versions/1.0.0')
  expect(view).toMatchObject({
    ...{ program: 'acme/whole', version: '1.0.0', signer: key.fingerprint, hooks: ['xdp'] },
    ...{ summary: 'Test 1.0.0', license: 'GPL-2.0-only', bundle: release.bundle },
  })
  const shown = await registry.call('GET', '/api/v1/programs/acme/whole/versions/1.0.0')
  expect(shown.json).toEqual(view)
  expect(view.files.map(({ name }) => name)).toEqual(['hookline.yaml', 'README.md', 'small.bpf.o'])
  for (const { name, digest, size } of view.files) {
    const blob = await registry.call('GET', `/api/v1/blobs/${digest}`)
    expect(blob.bytes).toEqual(release.files.get(name))
    expect(blob.bytes.length).toBe(size)
  }
  const bundle = await registry.call('GET', '/api/v1/programs/acme/whole/versions/1.0.0/bundle')
  expect(bundle.bytes.toString()).toBe(release.bundle)
})

test('a member may publish there, and nowhere else', async () => {
  const token = await registry.account('scoped', { member: { acme: 'publisher' } })
  const release = await buildRelease('acme/scoped', '1.0.0', key)
  expect((await publishAt(registry, release, { token })).status).toBe(201)
  const foreign = await publishAt(registry, await buildRelease('other/scoped', '1.0.0', key), { token })
  expect([foreign.status, foreign.code]).toEqual([404, 'not_found'])
  const first = await registry.token({ scopes: ['publish-update'] }, 'scoped')
  const another = await buildRelease('acme/another', '1.0.0', key)
  expect((await publishAt(registry, another, { token: first })).code).toBe('scope_missing')
  const update = await buildRelease('acme/scoped', '1.0.1', key)
  expect((await publishAt(registry, update, { token: first })).status).toBe(201)
  const named = await registry.token({ scopes: ['publish-new'], programs: ['acme/other'] }, 'scoped')
  expect((await publishAt(registry, another, { token: named })).code).toBe('scope_missing')
})

describe('what is refused leaves nothing visible', () => {
  const refusals: [string, number, string, () => Promise<{ files: Map<string, Buffer>; bundle?: string }>][] =
    [
      [
        'without a bundle',
        422,
        'bundle_missing',
        async () => ({ files: (await buildRelease('acme/no', '1.0.0', key)).files }),
      ],
      [
        'signed by a key of nobody',
        422,
        'signer_not_allowed',
        () => buildRelease('acme/no', '1.0.0', newKey()),
      ],
      [
        'signed by the key of another namespace',
        422,
        'signer_not_allowed',
        () => buildRelease('other/no', '1.0.0', key),
      ],
      [
        'with the bundle of another release',
        422,
        'release_mismatch',
        async () => ({
          files: (await buildRelease('acme/no', '1.0.0', key)).files,
          bundle: (await buildRelease('acme/no', '1.0.1', key)).bundle,
        }),
      ],
      [
        'with an object changed after it was signed',
        422,
        'subject_mismatch',
        async () => {
          const { files: signed, bundle } = await buildRelease('acme/no', '1.0.0', key, {
            files: [['NOTES', Buffer.from('a')]],
          })
          return { bundle, files: new Map([...signed, ['NOTES', Buffer.from('b')]]) }
        },
      ],
      ['in an unknown namespace', 404, 'not_found', () => buildRelease('nobody/no', '1.0.0', key)],
      [
        'whose entry is not in the object',
        400,
        'entry_not_found',
        () =>
          buildRelease('acme/no', '1.0.0', key, {
            manifest: { programs: [{ object: 'small.bpf.o', entry: 'xdp_absent', hook: 'xdp' }] },
          }),
      ],
      [
        'whose configuration is not in the object',
        400,
        'object_mismatch',
        () =>
          buildRelease('acme/no', '1.0.0', key, {
            manifest: { config: [{ name: 'limit', variable: 'cfg_absent', type: 'u32', default: 5 }] },
          }),
      ],
      [
        'that names a file which was not sent',
        400,
        'object_mismatch',
        () => buildRelease('acme/no', '1.0.0', key, { manifest: { readme: 'README.md' } }),
      ],
      [
        'whose object is no object',
        400,
        'elf_not_elf',
        () => buildRelease('acme/no', '1.0.0', key, { files: [['small.bpf.o', Buffer.alloc(4096, 1)]] }),
      ],
      [
        'with an unknown field in the manifest',
        400,
        'invalid_manifest',
        () => buildRelease('acme/no', '1.0.0', key, { manifest: { surprise: 1 } }),
      ],
      [
        'with a demand that is not supported yet',
        422,
        'not_supported_yet',
        () => buildRelease('acme/no', '1.0.0', key, { manifest: { limits: { nsPerPacket: 100 } } }),
      ],
      [
        'whose summary holds a NUL character',
        400,
        'invalid_manifest',
        () => buildRelease('acme/no', '1.0.0', key, { manifest: { summary: 'a\0b' } }),
      ],
    ]
  test.each(refusals)('a release %s', async (_, status, code, build) => {
    const before = await files()
    const answer = await publishAt(registry, await build())
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(answer.json).toMatchObject({ type: `urn:hookline:error:${code}`, status })
    expect(Problem.parse(answer.json).remedy).not.toBe('')
    expect((await registry.call('GET', '/api/v1/programs/acme/no')).status).toBe(404)
    expect(await files()).toEqual(before)
  })
})

test('a version is never overwritten, not even by its like', async () => {
  const release = await buildRelease('acme/once', '1.0.0', key)
  expect((await publishAt(registry, release)).status).toBe(201)
  const again = await publishAt(registry, release)
  expect([again.status, again.code]).toEqual([409, 'release_exists'])
  // unsigned, too: that the version is taken is said before anything dearer is looked at
  const unsigned = await publishAt(registry, { files: release.files })
  expect([unsigned.status, unsigned.code]).toEqual([409, 'release_exists'])
})

test('of concurrent publishes of one version exactly one wins, and its bytes are the ones served', async () => {
  const rivals = await Promise.all(
    Array.from({ length: 8 }, (_, at) =>
      buildRelease('acme/race', '1.0.0', key, { files: [['NOTES', Buffer.from(`rival ${at}`)]] }),
    ),
  )
  const answers = await Promise.all(rivals.map((release) => publishAt(registry, release)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)])
  const won = answers.findIndex(({ status }) => status === 201)
  const shown = await registry.call('GET', '/api/v1/programs/acme/race/versions/1.0.0')
  const notes = ReleaseView.parse(shown.json).files.find(({ name }) => name === 'NOTES')
  expect(notes?.digest).toBe(`sha256:${createHash('sha256').update(`rival ${won}`).digest('hex')}`)
  for (const { status, code } of answers) if (status === 409) expect(code).toBe('release_exists')
})

test('concurrent publishes of different versions all succeed', async () => {
  const versions = Array.from({ length: 12 }, (_, at) => `1.${at}.0`)
  const releases = await Promise.all(versions.map((version) => buildRelease('acme/many', version, key)))
  const answers = await Promise.all(releases.map((release) => publishAt(registry, release)))
  expect(answers.map(({ status }) => status)).toEqual(versions.map(() => 201))
  const shown = await registry.call('GET', '/api/v1/programs/acme/many')
  expect(ProgramView.parse(shown.json).versions.map(({ version }) => version)).toEqual(versions.reverse())
})

test('when a file cannot be stored, nothing becomes visible, and the cause is not told', async () => {
  const folder = join(registry.dataDir, 'blobs', 'tmp')
  await rm(folder, { recursive: true })
  await writeFile(folder, 'in the way')
  const release = await buildRelease('acme/full', '1.0.0', key)
  const answer = await publishAt(registry, { ...release, ...(await withNote(release.files)) })
  await rm(folder)
  expect([answer.status, answer.code]).toEqual([500, 'internal'])
  expect(JSON.stringify(answer.json)).not.toContain(registry.dataDir)
  expect(String(registry.failures.at(-1))).toContain(folder)
  expect((await registry.call('GET', '/api/v1/programs/acme/full')).status).toBe(404)
  await mkdir(folder)
  expect((await publishAt(registry, release)).status).toBe(201)
})

async function withNote(signed: Map<string, Buffer>) {
  const all = new Map([...signed, ['NOTES', Buffer.from('never stored before')]])
  return {
    files: all,
    bundle: await signRelease({ program: 'acme/full', version: '1.0.0', files: all }, key),
  }
}

describe('limits hold while the bytes arrive', () => {
  const form = async (change: (form: FormData) => void): Promise<FormData> => {
    const built = releaseForm(await buildRelease('acme/limits', '1.0.0', key))
    change(built)
    return built
  }
  const bytes = (count: number): Blob => new Blob([new Uint8Array(count)])
  test.each<[string, number, string, (form: FormData) => void]>([
    [
      'a file of one byte too many',
      413,
      'too_large',
      (form) => form.append('file', bytes(LIMITS.file_bytes + 1), 'big'),
    ],
    [
      'files that are too large together',
      413,
      'too_large',
      (form) => {
        for (let at = 0; at < 5; at++) form.append('file', bytes(LIMITS.file_bytes), `big${at}`)
      },
    ],
    [
      'one file too many',
      413,
      'too_large',
      (form) => {
        for (let at = 0; at < LIMITS.release_files - 1; at++) form.append('file', bytes(1), `f${at}`)
      },
    ],
    [
      'far too many parts',
      413,
      'too_large',
      (form) => {
        for (let at = 0; at < 200; at++) form.append('file', bytes(1), `f${at}`)
      },
    ],
    [
      'a manifest that is too large',
      413,
      'too_large',
      (form) => form.set('manifest', bytes(LIMITS.manifest_bytes + 1), 'm'),
    ],
    [
      'a bundle that is too large',
      413,
      'too_large',
      (form) => form.set('bundle', bytes(LIMITS.bundle_bytes + 1), 'b'),
    ],
    [
      'a file name with folders',
      400,
      'invalid_request',
      (form) => form.append('file', bytes(1), '../escape'),
    ],
    ['a file sent twice', 400, 'invalid_request', (form) => form.append('file', bytes(1), 'small.bpf.o')],
    ['a second manifest', 400, 'invalid_request', (form) => form.append('file', bytes(1), 'hookline.yaml')],
    ['a manifest sent twice', 400, 'invalid_request', (form) => form.append('manifest', bytes(1), 'm')],
    ['an unknown part', 400, 'invalid_request', (form) => form.append('surprise', bytes(1), 's')],
    ['no manifest', 400, 'invalid_request', (form) => form.delete('manifest')],
  ])('%s is refused', async (_, status, code, change) => {
    const answer = await registry.call('POST', '/api/v1/releases', {
      token: registry.admin,
      form: await form(change),
    })
    expect([answer.status, answer.code]).toEqual([status, code])
    expect((await registry.call('GET', '/api/v1/programs/acme/limits')).status).toBe(404)
  })
  test('a file of exactly the limit, and as many files as may be, are accepted', async () => {
    const release = await buildRelease('acme/limits', '1.0.0', key, {
      files: [
        ['big', Buffer.alloc(LIMITS.file_bytes)],
        ...Array.from({ length: LIMITS.release_files - 3 }, (_, at): [string, Buffer] => [
          `f${at}`,
          Buffer.from([at]),
        ]),
      ],
    })
    expect(release.files.size).toBe(LIMITS.release_files)
    expect((await publishAt(registry, release)).status).toBe(201)
  })
  test('a body that is no form is refused', async () => {
    const answer = await registry.call('POST', '/api/v1/releases', { token: registry.admin, body: {} })
    expect([answer.status, answer.code]).toEqual([415, 'unsupported_media_type'])
  })
})

test('an object is kept once, however many releases hold it', async () => {
  await publishAt(registry, await buildRelease('acme/shared', '1.0.0', key))
  await publishAt(registry, await buildRelease('acme/shared', '1.0.1', key))
  const hex = createHash('sha256').update(xdpObject()).digest('hex')
  expect((await files()).filter((name) => name === hex)).toHaveLength(1)
})

test('the audit names who published what', async () => {
  const token = await registry.account('audited', { member: { acme: 'publisher' } })
  await publishAt(registry, await buildRelease('acme/audited', '1.0.0', key), { token })
  const [record] = await registry.database.prisma.audit.findMany({ where: { subject: 'acme/audited@1.0.0' } })
  expect(record).toMatchObject({ action: 'release.publish', after: { signer: key.fingerprint } })
  expect([record?.actor, record?.address]).toEqual(['person:audited', '127.0.0.1'])
})

describe('a release that is to be private', () => {
  const publishPrivately = async (version: string, key: PrivateKey, program: string) =>
    registry.call('POST', '/api/v1/releases?visibility=private', {
      token: registry.admin,
      form: releaseForm(await buildRelease(program, version, key)),
    })
  test('is refused where the program is public, and published where it is private', async () => {
    const key = newKey()
    await openNamespace(registry, 'discreet', key)
    await publishAt(registry, await buildRelease('discreet/shown', '1.0.0', key))
    expect((await publishPrivately('1.1.0', key, 'discreet/shown')).code).toBe('program_public')
    const shown = await registry.call('GET', '/api/v1/programs/discreet/shown')
    expect(shown.json).toMatchObject({ versions: [{ version: '1.0.0' }] })
    for (const version of ['1.0.0', '1.1.0'])
      expect((await publishPrivately(version, key, 'discreet/kept')).status).toBe(201)
    // without a word it stays what it is
    await publishAt(registry, await buildRelease('discreet/kept', '1.2.0', key))
    expect((await registry.call('GET', '/api/v1/programs/discreet/kept')).code).toBe('not_found')
  })
})

describe('checks before a publish', () => {
  const check = (release: Parameters<typeof releaseForm>[0], token = registry.admin) =>
    registry.call('POST', '/api/v1/checks', { token, form: releaseForm(release) })
  test('tell all that a publish would refuse, and publish nothing', async () => {
    const key = newKey()
    await openNamespace(registry, 'checked', key)
    const good = await buildRelease('checked/app', '1.0.0', key)
    const sound = await check(good)
    expect(sound.json).toMatchObject({ publishable: true })
    expect((await registry.call('GET', '/api/v1/programs/checked/app')).code).toBe('not_found')

    const bad = await buildRelease('checked/app', '1.0.0', newKey(), {
      manifest: { license: 'GPL v2', changelog: 'CHANGES.md' },
    })
    const { publishable, checks } = Object((await check(bad)).json)
    const wrong = checks.flatMap((one: { check: string; level: string; code?: string }) =>
      one.level === 'error' ? [`${one.check} ${one.code}`] : [],
    )
    const all = ['licence invalid_license', 'files object_mismatch', 'signature signer_not_allowed']
    expect([publishable, wrong]).toEqual([false, all])
    // a publish refuses with the first, and the list
    const refused = await publishAt(registry, bad)
    expect([refused.status, refused.code]).toEqual([400, 'invalid_license'])
    expect(Object(refused.json).checks).toEqual(checks)

    await publishAt(registry, good)
    expect(Object((await check(good)).json).checks).toContainEqual(
      expect.objectContaining({ check: 'version', level: 'error', code: 'release_exists' }),
    )
    const copy = Object((await check(await buildRelease('checked/copy', '1.0.0', key))).json)
    expect(copy).toMatchObject({ publishable: true })
    expect(copy.checks.find((one: { check: string }) => one.check === 'duplicate')).toMatchObject({
      level: 'warning',
      detail: expect.stringMatching(/small\.bpf\.o is byte for byte an object of \w+\/\w+@/),
    })
  })

  test('tell nobody of private programs that are not his, nor of namespaces', async () => {
    const key = newKey()
    await openNamespace(registry, 'hidden', key)
    const files: [string, Buffer][] = [['secret.bpf.o', compileBpf(SECRET)]]
    const manifest = {
      programs: [{ object: 'secret.bpf.o', entry: 'secret', hook: 'xdp' }],
      config: [],
      permissions: ['transmit'],
    }
    const secret = await buildRelease('hidden/secret', '1.0.0', key, { manifest, files })
    const path = '/api/v1/releases?visibility=private'
    await registry.call('POST', path, { token: registry.admin, form: releaseForm(secret) })
    const stranger = await registry.account('curious')
    const own = newKey()
    await openNamespace({ ...registry, admin: stranger }, 'curious', own)
    const same = await buildRelease('curious/same', '1.0.0', own, { manifest, files })
    const { checks } = Object((await check(same, stranger)).json)
    expect(checks.map((one: { check: string }) => one.check)).not.toContain('duplicate')
    expect((await check(await buildRelease('hidden/other', '1.0.0', own), stranger)).code).toBe('not_found')
  })
})

const SECRET = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("xdp") int secret(struct xdp_md *ctx) { return XDP_TX; }
`
