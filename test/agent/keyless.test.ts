import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { describeAsRoot } from '../support/needs-root.ts'
import { type SigstoreDouble, startSigstore } from '../support/sigstore.ts'
import { Fleet, KNOB_MANIFEST, knobObject, xdpProgramOn } from './fleet.ts'

const IDENTITY = 'https://github.com/acme/knob/.github/workflows/release.yml@refs/tags/v1'
const ISSUER = 'https://token.actions.githubusercontent.com'
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describeAsRoot('an agent whose owner trusts identities', () => {
  let fleet: Fleet
  let [services, others]: SigstoreDouble[] = []
  const dir = mkdtempSync(join(tmpdir(), 'hookline-root-'))
  beforeAll(async () => {
    ;[services, others] = await Promise.all([startSigstore(), startSigstore()])
    writeFileSync(join(dir, 'root.json'), services.trustedRoot)
    process.env['HOOKLINE_TRUSTED_ROOT'] = join(dir, 'root.json')
    fleet = await Fleet.start()
    await fleet.hookline('identity', 'add', IDENTITY, '--issuer', ISSUER, '--namespace', 'acme')
    const release = join(dir, 'release')
    mkdirSync(release)
    writeFileSync(
      join(release, 'hookline.yaml'),
      stringify({ name: 'acme/knob', version: '1.0.0', ...KNOB_MANIFEST }),
    )
    writeFileSync(join(release, 'knob.bpf.o'), knobObject(1))
    const claims = { iss: ISSUER, sub: IDENTITY, aud: 'sigstore', exp: 4_000_000_000 }
    fleet.env['SIGSTORE_ID_TOKEN'] = `${part({ alg: 'none' })}.${part(claims)}.x`
    const at = ['--fulcio-url', services.url, '--tsa-url', services.url]
    await fleet.hookline('publish', release, '--keyless', ...at)
  })
  afterAll(async () => {
    delete process.env['HOOKLINE_TRUSTED_ROOT']
    await fleet?.close()
    await Promise.all([services?.close(), others?.close()])
    rmSync(dir, { recursive: true })
  })
  const policyFor = (identity: string): string =>
    [
      `operators: [{ key: "${fleet.operator.key.fingerprint}" }]`,
      `trustedRoot: ${join(dir, 'node-root.json')}`,
      `programs: [{ match: "acme/*", signers: [{ identity: "${identity}", issuer: "${ISSUER}" }], permissions: [drop] }]`,
    ].join('\n')

  test('runs what one of them signed, by the trusted root that he names, and by no other', async () => {
    const root = join(dir, 'node-root.json')
    writeFileSync(root, services?.trustedRoot ?? '')
    const node = await fleet.node('trusting', { policy: policyFor(IDENTITY.replace('v1', '*')) })
    await fleet.apply('knob', node)
    await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
    writeFileSync(root, others?.trustedRoot ?? '')
    const codes = (report: {
      functions: { error?: { code: string } | undefined }[]
    }): (string | undefined)[] => report.functions.map(({ error }) => error?.code)
    await fleet.until(node, 'the other root', (report) => codes(report).includes('certificate_invalid'))
    writeFileSync(root, services?.trustedRoot ?? '')
    await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
  })

  test('refuses what another one signed', async () => {
    writeFileSync(join(dir, 'node-root.json'), services?.trustedRoot ?? '')
    const node = await fleet.node('other', { policy: policyFor(IDENTITY.replace('acme/knob', 'acme/other')) })
    await fleet.apply('other', node)
    await fleet.until(node, 'the refusal', ({ functions }) =>
      JSON.stringify(functions).includes('signer_not_allowed'),
    )
  })

  test('stops what one of them revokes, and nothing that another one does', async () => {
    const root = join(dir, 'node-root.json')
    writeFileSync(root, services?.trustedRoot ?? '')
    const node = await fleet.node('revoked', { policy: policyFor(IDENTITY.replace('v1', '*')) })
    await fleet.apply('revoked', node, { onRevoke: 'detach' })
    await fleet.untilRuns(node, 'revoked', 'acme/knob@1.0.0')
    const at = ['--fulcio-url', services?.url ?? '', '--tsa-url', services?.url ?? '']
    const why = ['--reason', 'faulty', '--message', 'drops fragments', '--keyless', ...at]
    const token = fleet.env['SIGSTORE_ID_TOKEN'] ?? ''
    const claims = { iss: ISSUER, sub: `${IDENTITY}-not`, aud: 'sigstore', exp: 4_000_000_000 }
    fleet.env['SIGSTORE_ID_TOKEN'] = `${part({ alg: 'none' })}.${part(claims)}.x`
    await expect(fleet.hookline('revoke', 'acme/knob@1.0.0', ...why)).rejects.toThrow('revoker_not_allowed')
    expect(xdpProgramOn(node.edge)).toBeDefined()
    fleet.env['SIGSTORE_ID_TOKEN'] = token
    await fleet.hookline('revoke', 'acme/knob@1.0.0', ...why)
    await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).toBe(undefined)
    await fleet.until(node, 'the word of it', ({ revocations }) => revocations?.believed === 1)
  })
})
