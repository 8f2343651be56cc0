import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseTrustedRoot } from '../../src/attest/trusted-root.ts'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { buildProgram, PROGRAMS } from '../../tools/build-programs.ts'
import { type CiIssuerDouble, githubClaims, startCiIssuer } from '../support/ci-issuer.ts'
import { type SigstoreDouble, startSigstore } from '../support/sigstore.ts'
import { hookline, type Run, scratch } from './hookline.ts'

const folder = await scratch()
let registry: Registry
let issuer: CiIssuerDouble
let sigstore: SigstoreDouble
let owner: Record<string, string>

const WORKFLOW = 'https://github.com/acme/counter/.github/workflows/release.yml'
const CLAIMS = githubClaims({
  sub: `${WORKFLOW}@refs/tags/v1`,
  repository: 'hookline/counter',
  workflow_ref: 'hookline/counter/.github/workflows/release.yml@refs/tags/v1',
})
async function ok(env: Record<string, string>, ...args: string[]): Promise<string> {
  const run = await hookline(folder, args, env)
  expect(run, run.stderr).toMatchObject({ code: 0 })
  return run.stdout
}
/** What a job of a pipeline has: no token of the registry, and no key. */
function job(claims = CLAIMS): Record<string, string> {
  const { url, secret } = issuer.job(claims)
  return {
    HOOKLINE_URL: registry.url,
    GITHUB_ACTIONS: 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: url,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret,
  }
}
const publish = (env: Record<string, string>, version = '1.0.0'): Promise<Run> => {
  const services = ['--fulcio-url', sigstore.url, '--tsa-url', sigstore.url]
  return hookline(folder, ['publish', `counter-${version}`, '--keyless', ...services], env)
}

beforeAll(async () => {
  await chmod(folder, 0o711)
  ;[issuer, sigstore] = await Promise.all([startCiIssuer(), startSigstore()])
  registry = await serve({
    dataDir: join(folder, 'registry'),
    port: 0,
    identity: {
      ...NO_IDENTITIES,
      ciIssuers: [{ provider: 'github', issuer: issuer.url }],
      trustedRoot: parseTrustedRoot(sigstore.trustedRoot),
    },
  })
  await writeFile(join(folder, 'root.json'), sigstore.trustedRoot)
  owner = { HOOKLINE_URL: registry.url, HOOKLINE_TOKEN: registry.adminToken ?? '' }
  await ok(owner, 'namespace', 'create', 'hookline')
  for (const version of ['1.0.0', '1.1.0'])
    buildProgram(join(PROGRAMS, 'counter'), { version, outDir: join(folder, `counter-${version}`) })
}, 120_000)
afterAll(async () => {
  await registry?.close()
  await Promise.all([issuer?.close(), sigstore?.close()])
})

test('a job of GitHub Actions publishes without any stored secret, and everybody can check who signed', async () => {
  // neither is trusted yet
  expect((await publish(job())).stderr).toContain('[no_trusted_publisher]')
  const trusted = ['hookline/counter', '--repository', 'hookline/counter', '--workflow', 'release.yml']
  await ok(owner, 'trusted-publisher', 'add', ...trusted, '--ref', 'refs/tags/v*')
  expect((await publish(job())).stderr).toContain('[signer_not_allowed]')
  const identity = [`${WORKFLOW}@refs/tags/*`, '--issuer', issuer.url, '--namespace', 'hookline']
  await ok(owner, 'identity', 'add', ...identity)

  const run = await publish(job())
  expect(run, run.stderr).toMatchObject({ code: 0 })
  expect(run.stdout).toContain(`published hookline/counter@1.0.0, signed by ${WORKFLOW}@refs/tags/v1`)
  expect(run.stderr).toMatch(/this job may publish hookline\/counter until/)
  expect(await ok(owner, 'trusted-publisher', 'list', '--namespace', 'hookline')).toMatch(/counter .* yes /)
  expect(await ok(owner, 'show', 'hookline/counter')).toContain(`${WORKFLOW}@refs/tags/v1 (${issuer.url})`)
  expect(JSON.parse(await ok(owner, 'show', 'hookline/counter@1.0.0', '--json')).signer).toEqual({
    identity: `${WORKFLOW}@refs/tags/v1`,
    issuer: issuer.url,
  })
  expect(await ok(owner, 'search', '--signed', 'identity')).toContain('hookline/counter')

  const by = ['--issuer', issuer.url, '--trusted-root', 'root.json']
  const verify = (...more: string[]): Promise<Run> =>
    hookline(folder, ['verify', 'hookline/counter@1.0.0', ...more], owner)
  const good = await verify('--identity', `${WORKFLOW}@refs/tags/v1`, ...by)
  expect(good.stdout).toContain(
    `- signed by ${WORKFLOW}@refs/tags/v1 (${issuer.url}), accepted by --identity`,
  )
  const other = await verify('--identity', `${WORKFLOW}@refs/tags/v2`, ...by)
  expect([other.code, other.stderr]).toEqual([3, expect.stringContaining('[signer_not_allowed]')])
  expect((await verify('--identity', WORKFLOW, '--issuer', issuer.url)).stderr).toContain('[usage]')

  const signers = `[{ identity: "${WORKFLOW}@refs/tags/*", issuer: "${issuer.url}" }]`
  const rule = `programs: [{ match: "hookline/*", signers: ${signers} }]\n`
  await writeFile(join(folder, 'trust.yaml'), `trustedRoot: root.json\n${rule}`)
  expect((await verify('--policy', 'trust.yaml')).stdout).toContain('hookline/counter@1.0.0 holds')
  await writeFile(join(folder, 'rootless.yaml'), rule)
  expect((await verify('--policy', 'rootless.yaml')).stderr).toContain('[invalid_policy]')
  const pulled = await ok(
    owner,
    'pull',
    'hookline/counter@1.0.0',
    '--out',
    'pulled',
    '--policy',
    'trust.yaml',
  )
  expect(pulled).toContain(`signed by ${WORKFLOW}@refs/tags/v1`)
  expect(await readFile(join(folder, 'pulled', 'bundle.json'), 'utf8')).toContain('rfc3161Timestamps')
})

test('what is taken back counts no longer', async () => {
  const identities = JSON.parse(await ok(owner, 'identity', 'list', '--namespace', 'hookline', '--json'))
  await ok(owner, 'identity', 'remove', identities.identities[0].id, '--namespace', 'hookline')
  expect((await publish(job(), '1.1.0')).stderr).toContain('[signer_not_allowed]')
  const { publishers } = JSON.parse(
    await ok(owner, 'trusted-publisher', 'list', '--namespace', 'hookline', '--json'),
  )
  await ok(owner, 'trusted-publisher', 'remove', publishers[0].id, '--namespace', 'hookline')
  expect((await publish(job(), '1.1.0')).stderr).toContain('[no_trusted_publisher]')
})

test('no pipeline, or one that gives no token, is told so', async () => {
  const outside = await publish({ HOOKLINE_URL: registry.url })
  expect([outside.code, outside.stderr]).toEqual([1, expect.stringContaining('[ci_token_failed]')])
  const mute = await publish({ ...job(), ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'wrong' })
  expect(mute.stderr).toMatch(/gave no identity token.*\[ci_token_failed\]\n.*id-token: write/)
  const gone = await hookline(
    folder,
    [
      'publish',
      'counter-1.1.0',
      '--keyless',
      '--fulcio-url',
      'http://127.0.0.1:1',
      '--tsa-url',
      sigstore.url,
    ],
    { ...job(), HOOKLINE_TOKEN: registry.adminToken ?? '' },
  )
  expect(gone.stderr).toContain('[signing_failed]')
  const both = await hookline(folder, ['publish', 'counter-1.1.0', '--keyless', '--key', 'x.pem'], job())
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('--keyless contradicts')])
  const revoke = ['revoke', 'hookline/counter@1.0.0', '--reason', 'faulty', '--message', 'x']
  for (const [by, why] of [
    [[], 'say who signs'],
    [['--keyless', '--key', 'x.pem'], 'who signs is said twice'],
  ] as const) {
    const unsaid = await hookline(folder, [...revoke, ...by], job())
    expect([unsaid.code, unsaid.stderr]).toEqual([2, expect.stringContaining(why)])
  }
})
