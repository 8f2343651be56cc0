import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { xdpObject } from '../http/release-builder.ts'
import { hookline, type Run, scratch } from './hookline.ts'

const folder = await scratch()
let registry: Registry
let admin: Record<string, string>
const fingerprints: Record<string, string> = {}
const as = (env: Record<string, string>, ...args: string[]): Promise<Run> => hookline(folder, args, env)
async function json(...args: string[]): Promise<ReturnType<typeof JSON.parse>> {
  const run = await as(admin, ...args, '--json')
  expect(run, run.stdout + run.stderr).toMatchObject({ code: 0 })
  return JSON.parse(run.stdout)
}
const codeOf = async (env: Record<string, string>, ...args: string[]): Promise<string> => {
  const run = await as(env, ...args, '--json')
  return run.code === 0 ? 'done' : JSON.parse(run.stdout).error.code
}
/** A release in a folder of its own. */
async function release(name: string, license = 'GPL-2.0-only'): Promise<string> {
  const directory = join(folder, name)
  await mkdir(directory)
  const manifest = {
    ...{ name: `acme/${name}`, version: '1.0.0', summary: 'Limits', license },
    source: 'https://example.org/source',
    programs: [{ object: 'small.bpf.o', entry: 'xdp_small', hook: 'xdp' }],
    permissions: ['drop'],
  }
  await writeFile(join(directory, 'hookline.yaml'), stringify(manifest))
  await writeFile(join(directory, 'small.bpf.o'), xdpObject())
  return name
}

beforeAll(async () => {
  await chmod(folder, 0o711) // the database's user walks through
  registry = await serve({ dataDir: join(folder, 'registry'), port: 0 })
  admin = { HOOKLINE_URL: registry.url, HOOKLINE_TOKEN: registry.adminToken ?? '' }
  await writeFile(join(folder, 'phrase'), 'correct horse\n')
  await writeFile(join(folder, 'wrong'), 'battery staple\n')
  await json('namespace', 'create', 'acme')
  await json('keygen', '--out', 'ada')
  await json('keygen', '--out', 'grace', '--algorithm', 'ed25519')
  await json('keygen', '--out', 'stranger')
  await json('keygen', '--out', 'locked', '--encrypt', '--passphrase-file', 'phrase')
  for (const name of ['ada', 'grace', 'locked'])
    fingerprints[name] = (await json('key', 'add', `${name}.pub.pem`, '--namespace', 'acme')).fingerprint
})
afterAll(() => registry.close())

describe('an encrypted key', () => {
  test.each<[string, string[], Record<string, string>, string]>([
    ['by the passphrase of a file', ['--passphrase-file', 'phrase'], {}, 'done'],
    ['by that of the environment', [], { HOOKLINE_KEY_PASSPHRASE: 'correct horse' }, 'done'],
    ['without one, where nobody can be asked', [], {}, 'passphrase_missing'],
    ['by a wrong one', ['--passphrase-file', 'wrong'], {}, 'passphrase_wrong'],
    ['by an empty one', [], { HOOKLINE_KEY_PASSPHRASE: '' }, 'passphrase_missing'],
  ])('signs %s', async (what, flags, env, code) => {
    const name = await release(`locked-${what.length}`)
    expect(await codeOf({ ...admin, ...env }, 'publish', name, '--key', 'locked.pem', ...flags)).toBe(code)
  })
  test('is not made without a passphrase', async () => {
    expect(await codeOf({}, 'keygen', '--out', 'open', '--encrypt')).toBe('passphrase_missing')
  })
})

describe('a command that signs', () => {
  const openssl = 'openssl dgst -sha256 -sign ada.pem'
  const signer = (script: string): string => `${process.execPath} -e "${script}"`
  const read = "const m=require('fs').readFileSync(0),c=require('crypto'),f=require('fs').readFileSync;"
  test('is given the bytes, and its signature holds: P-256 in DER', async () => {
    const name = await release('by-openssl')
    const flags = ['--signer-command', openssl, '--public-key', 'ada.pub.pem']
    expect((await json('publish', name, ...flags)).signer).toBe(fingerprints['ada'])
  })
  test('likewise Ed25519 in 64 bytes, its words kept together by quotes', async () => {
    const name = await release('by-script')
    const command = signer(`${read}process.stdout.write(c.sign(null,m,f('grace.pem')))`)
    const flags = ['--signer-command', command, '--public-key', 'grace.pub.pem']
    expect((await json('publish', name, ...flags)).signer).toBe(fingerprints['grace'])
  })
  test.each([
    ['with another key', openssl, 'grace.pub.pem', 'signer_command_failed'],
    ['nothing', 'true', 'ada.pub.pem', 'signer_command_failed'],
    ['and fails', 'false', 'ada.pub.pem', 'signer_command_failed'],
    ['and is not there', './nowhere', 'ada.pub.pem', 'signer_command_failed'],
    ['without end', 'yes', 'ada.pub.pem', 'signer_command_failed'],
    ['by way of a shell', `${openssl} ; true`, 'ada.pub.pem', 'signer_command_failed'],
    ['and is empty', ' ', 'ada.pub.pem', 'usage'],
  ])('is refused when it signs %s', async (what, command, key, code) => {
    const name = await release(`command-${what.replaceAll(' ', '-')}`)
    const flags = ['--signer-command', command, '--public-key', key]
    expect(await codeOf(admin, 'publish', name, ...flags)).toBe(code)
  })
  test('needs the public key to be held against', async () => {
    const name = await release('keyless')
    expect(await codeOf(admin, 'publish', name, '--signer-command', 'true')).toBe('usage')
  })
})

describe('several signers', () => {
  beforeAll(async () => {
    await release('shared')
    await json('publish', 'shared', '--key', 'ada.pem')
  })
  const verify = (...flags: string[]) =>
    codeOf(admin, 'verify', 'acme/shared@1.0.0', '--signer', 'ada.pub.pem', 'grace.pub.pem', ...flags)
  test('a release of one is not one of two, until another signs it, whom the signer trusts', async () => {
    expect(await verify()).toBe('done')
    expect(await verify('--min-signers', '2')).toBe('too_few_signers')
    const cosign = ['cosign', 'acme/shared@1.0.0', '--key', 'grace.pem', '--signer']
    expect(await codeOf(admin, ...cosign, 'stranger.pub.pem')).toBe('signer_not_allowed')
    expect((await json(...cosign, 'ada.pub.pem')).signers).toEqual([
      fingerprints['ada'],
      fingerprints['grace'],
    ])
    expect(await verify('--min-signers', '2')).toBe('done')
    expect(await verify('--min-signers', '3')).toBe('too_few_signers')
  })
  test('sign at once', async () => {
    const name = await release('at-once')
    const view = await json('publish', name, '--key', 'ada.pem', '--key', 'grace.pem')
    expect(view.signers).toEqual([fingerprints['ada'], fingerprints['grace']])
  })
  test('are pulled with it, and checked where it lies', async () => {
    await json('pull', 'acme/at-once@1.0.0', '--out', 'pulled', '--signer', 'ada.pub.pem')
    const flags = ['--signer', 'ada.pub.pem', 'grace.pub.pem', '--min-signers', '2']
    expect(await codeOf({}, 'verify', './pulled', ...flags)).toBe('done')
    expect(await codeOf({}, 'verify', './pulled', '--bundle', 'pulled/bundle.json', ...flags)).toBe(
      'too_few_signers',
    )
  })
  test('a stranger’s signature is refused', async () => {
    expect(await codeOf(admin, 'cosign', 'acme/shared@1.0.0', '--key', 'stranger.pem')).toBe(
      'signer_not_allowed',
    )
  })
  test('neither a range nor nobody can be cosigned', async () => {
    expect(await codeOf(admin, 'cosign', 'acme/shared@^1.0', '--key', 'grace.pem')).toBe('usage')
    expect(await codeOf(admin, 'cosign', 'acme/shared@1.0.0')).toBe('usage')
  })
})

describe('a key with an end', () => {
  test('signs nothing behind it', async () => {
    await json('keygen', '--out', 'old')
    await json('key', 'add', 'old.pub.pem', '--namespace', 'acme', '--valid-until', '2020-01-01')
    const name = await release('expired')
    expect(await codeOf(admin, 'publish', name, '--key', 'old.pem')).toBe('key_expired')
    await json('key', 'add', 'old.pub.pem', '--namespace', 'acme', '--valid-until', '2999-01-01')
    expect(await codeOf(admin, 'publish', name, '--key', 'old.pem')).toBe('done')
  })
  test('is none of an operator', async () => {
    expect(
      await codeOf(admin, 'key', 'add', 'ada.pub.pem', '--operator', '--valid-until', '2999-01-01'),
    ).toBe('usage')
  })
})

describe('trust check of function files', () => {
  const policy = async (name: string, fields: string): Promise<string> => {
    const signers = `signers: [{ key: "${fingerprints['ada']}" }, { key: "${fingerprints['grace']}" }]`
    await writeFile(
      join(folder, name),
      `programs: [{ match: "acme/*", ${signers}, permissions: [drop]${fields} }]\n`,
    )
    return name
  }
  beforeAll(async () => {
    await writeFile(
      join(folder, 'edge.yaml'),
      stringify({
        ...{ kind: 'function', name: 'edge', selector: {}, interfaces: ['eth1'] },
        instances: [{ use: 'acme/at-once@^1.0' }, { use: 'acme/by-script@^1.0' }],
      }),
    )
    await policy('open.yaml', '')
  })
  const check = (file: string, ...flags: string[]): Promise<Run> =>
    as(admin, 'trust', 'check', file, '--function', 'edge.yaml', '--json', ...flags)
  test.each([
    ['what asks for nothing', '', 0, [undefined, undefined]],
    ['two signers', ', minSigners: 2', 3, [undefined, 'too_few_signers']],
    ['another licence', ', licenses: [MIT]', 3, ['license_not_allowed', 'license_not_allowed']],
    ['an age', ', minAge: 1h', 3, ['too_young', 'too_young']],
  ])('says what %s would stop that the policy in force lets run', async (what, fields, code, codes) => {
    const file = await policy(`policy-${what.length}.yaml`, fields)
    const run = await check(file, '--against', 'open.yaml')
    expect(run, run.stderr).toMatchObject({ code })
    const { releases, stops } = JSON.parse(run.stdout)
    expect(releases.map((one: { code?: string }) => one.code)).toEqual(codes)
    expect(stops).toBe(codes.filter((one) => one !== undefined).length)
  })
  test('finds nothing new in what is refused already', async () => {
    const [before, after] = [
      await policy('a.yaml', ', licenses: [MIT]'),
      await policy('b.yaml', ', licenses: [ISC]'),
    ]
    expect((await check(after, '--against', before)).code).toBe(0)
  })
  test('and counts it where no policy is compared with', async () => {
    const file = await policy('isc.yaml', ', licenses: [ISC]')
    const run = await as(admin, 'trust', 'check', file, '--function', 'edge.yaml')
    expect(run, run.stderr).toMatchObject({ code: 3 })
    expect(run.stdout).toContain('isc.yaml would refuse 2 releases:')
    const both = await as(admin, 'trust', 'check', file, '--function', 'edge.yaml', '--against', 'isc.yaml')
    expect(both.stdout).toContain('refuses nothing that isc.yaml accepts; both refuse 2 releases')
  })
  test('judges what the registry resolves a range to: nothing that is revoked', async () => {
    const name = await release('bad')
    await json('publish', name, '--key', 'ada.pem')
    await writeFile(
      join(folder, 'bad.yaml'),
      stringify({
        ...{ kind: 'function', name: 'bad', selector: {}, interfaces: ['eth1'] },
        instances: [{ use: 'acme/bad@^1.0' }],
      }),
    )
    const codes = async (): Promise<unknown[]> => {
      const run = await as(admin, 'trust', 'check', 'open.yaml', '--function', 'bad.yaml', '--json')
      return [run.code, JSON.parse(run.stdout).releases[0].code]
    }
    expect(await codes()).toEqual([0, undefined])
    await json('revoke', 'acme/bad@1.0.0', '--key', 'ada.pem', '--reason', 'faulty', '--message', 'drops')
    expect(await codes()).toEqual([3, 'version_not_found'])
  })
  test('shows a policy, and the rule that decides about a program', async () => {
    const shown = await json('trust', 'show', 'open.yaml', '--program', 'acme/at-once')
    expect(shown.programs).toMatchObject([{ match: 'acme/*', minSigners: 1 }])
    expect(await codeOf({}, 'trust', 'show', 'open.yaml', '--program', 'other/limit')).toBe('policy_denied')
  })
  test('checks a policy of owners, bound by the trust.yaml of its nodes', async () => {
    const rule = { match: 'acme/*', signers: [{ key: fingerprints['ada'] }], permissions: ['drop'] }
    await writeFile(
      join(folder, 'owners.yaml'),
      stringify({ kind: 'policy', name: 'owned', selector: {}, operators: [], programs: [rule] }),
    )
    const owner = (await json('keygen', '--out', 'owner')).fingerprint
    await writeFile(join(folder, 'owned.yaml'), `owners: [{ key: "${owner}" }]\nfloor: { minAge: 1h }\n`)
    const codes = async (...flags: string[]): Promise<unknown> => {
      const run = await check('owners.yaml', ...flags)
      const { releases, error } = JSON.parse(run.stdout)
      return error?.code ?? releases.map((one: { code?: string }) => one.code)
    }
    expect(await codes()).toEqual([undefined, 'signer_not_allowed'])
    expect(await codes('--under', 'owned.yaml')).toEqual(['too_young', 'signer_not_allowed'])
    expect(await codes('--under', 'open.yaml')).toBe('usage')
    expect(JSON.parse((await check('open.yaml', '--under', 'owned.yaml')).stdout).error.code).toBe('usage')
  })
  test('has nothing to check without a state or a function', async () => {
    expect(await codeOf(admin, 'trust', 'check', 'open.yaml')).toBe('usage')
  })
})

describe('verify of a revoked release', () => {
  const revoke = (ref: string, key: string) =>
    json('revoke', ref, '--key', key, '--reason', 'faulty', '--message', 'drops too much')
  const verified = async (...args: string[]): Promise<[number | null, unknown]> => {
    const run = await as(admin, 'verify', ...args, '--json')
    return [run.code, JSON.parse(run.stdout).revoked]
  }
  beforeAll(async () => {
    fingerprints['operator'] = (await json('keygen', '--out', 'operator')).fingerprint
    await json('key', 'add', 'operator.pub.pem', '--operator')
    for (const name of ['faulty', 'forbidden']) await json('publish', await release(name), '--key', 'ada.pem')
  })
  test('says so, and ends as refused, where its signer is accepted', async () => {
    expect(await verified('acme/faulty@1.0.0', '--signer', 'ada.pub.pem')).toEqual([0, undefined])
    await revoke('acme/faulty@1.0.0', 'ada.pem')
    const shown = { message: 'faulty: drops too much', believed: fingerprints['ada'] }
    expect(await verified('acme/faulty@1.0.0', '--signer', 'ada.pub.pem')).toEqual([3, shown])
    const { stdout } = await as(admin, 'verify', 'acme/faulty@1.0.0', '--policy', 'open.yaml')
    expect(stdout).toMatch(/^acme\/faulty@1\.0\.0 is revoked: .*\n- revoked by sha256:/)
  })
  test('says so, and holds, where a node would not believe it either', async () => {
    await revoke('acme/forbidden@1.0.0', 'operator.pem')
    const { message } = { message: 'drops too much' }
    expect(await verified('acme/forbidden@1.0.0', '--policy', 'open.yaml')).toEqual([0, { message }])
    const rule = `programs: [{ match: "acme/*", signers: [{ key: "${fingerprints['ada']}" }] }]`
    const operators = `operators: [{ key: "${fingerprints['operator']}" }]`
    await writeFile(join(folder, 'obeying.yaml'), `${operators}\n${rule}\n`)
    const believed = { message: `faulty: ${message}`, believed: fingerprints['operator'] }
    expect(await verified('acme/forbidden@1.0.0', '--policy', 'obeying.yaml')).toEqual([3, believed])
  })
})
