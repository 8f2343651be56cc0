import { describe, expect, test } from 'vitest'
import { COMMAND_GROUPS } from '../../src/cli/command-groups.ts'
import { runCli } from '../../src/cli/run.ts'
import { memoryIo } from './hookline.ts'

const services = {
  serve: () => Promise.reject(new Error('not here')),
  agent: () => Promise.reject(new Error('not here')),
  witness: () => Promise.reject(new Error('not here')),
  verifyRunning: () => Promise.reject(new Error('not here')),
  doctor: () => Promise.reject(new Error('not here')),
}
async function help(...path: string[]): Promise<string> {
  const io = memoryIo()
  expect(await runCli([...path, '--help'], io, services, '1.2.3')).toBe(0)
  expect(io.err).toBe('')
  return io.out
}
/** Names under "Commands:", or under what they are for, in a help text. */
const commandsIn = (text: string): string[] =>
  ['Commands:', ...Object.keys(COMMAND_GROUPS)].flatMap((heading) => {
    const part = text.split(`\n${heading}\n`)[1]?.split('\n\n')[0] ?? ''
    return [...part.matchAll(/^ {2}([a-z-]+)/gm)].map((found) => found[1] ?? '')
  })

/** Every command that does something, by its path. */
async function leaves(path: string[] = []): Promise<string[][]> {
  const names = commandsIn(await help(...path))
  if (names.length === 0) return [path]
  return (await Promise.all(names.map((name) => leaves([...path, name])))).flat()
}
const commands = await leaves()

describe('help', () => {
  test('lists every command', () => {
    expect(commands.map((path) => path.join(' ')).sort()).toEqual([
      'account change',
      'account create',
      'account link',
      'account list',
      'admin quarantine',
      'admin reports',
      'admin resolve',
      'admin takedown',
      'agent',
      'audit',
      'channel remove',
      'channel set',
      'completion',
      'cosign',
      'delete',
      'deprecate',
      'diff',
      'doctor',
      'function apply',
      'function list',
      'function remove',
      'function rollback',
      'function show',
      'identity add',
      'identity list',
      'identity remove',
      'init',
      'inspect',
      'key add',
      'key list',
      'key remove',
      'keygen',
      'log check',
      'log entries',
      'log proof',
      'log recover',
      'log recovery-key',
      'log show',
      'log verify',
      'login',
      'logout',
      'member accept',
      'member invitations',
      'member list',
      'member remove',
      'member robot',
      'member set',
      'namespace create',
      'namespace leave',
      'namespace list',
      'namespace show',
      'namespace verify',
      'node list',
      'node remove',
      'node show',
      'node token',
      'node token-revoke',
      'node tokens',
      'publish',
      'pull',
      'report',
      'revocation list',
      'revoke',
      'search',
      'serve',
      'show',
      'status',
      'token create',
      'token list',
      'token revoke',
      'trust check',
      'trust list',
      'trust push',
      'trust show',
      'trust sign',
      'trusted-publisher add',
      'trusted-publisher list',
      'trusted-publisher remove',
      'unyank',
      'verify',
      'visibility',
      'webhook add',
      'webhook deliveries',
      'webhook list',
      'webhook redeliver',
      'webhook remove',
      'webhook test',
      'whoami',
      'witness',
      'yank',
    ])
  })

  test('says of every command what it is for, and of none that there is not', async () => {
    const text = await help()
    expect(text).not.toContain('\nCommands:')
    expect(commandsIn(text).sort()).toEqual(Object.values(COMMAND_GROUPS).flat().sort())
    expect(await help('trust')).toContain('\nCommands:\n')
  })

  test.each(commands.map((path) => [path.join(' '), path] as const))(
    'of %s has an example of it and names --json',
    async (name, path) => {
      const text = await help(...path)
      expect(text).toMatch(new RegExp(`Examples?:\\n  hookline ${name}`))
      expect(text).toContain('--json')
      expect(text).not.toContain('default: false')
    },
  )

  test.each(['abc', '-1', '1', '4000d'])('an age of %s is refused with what could be given', async (age) => {
    const io = memoryIo()
    expect(await runCli(['agent', '--registry', 'http://x', '--key-age', age], io, services, '1')).toBe(2)
    expect(io.err).toMatch(/--key-age.*give a time/)
  })

  test.each(['0', '60s', '30d'])('an age of %s is taken', async (age) => {
    const io = memoryIo()
    expect(await runCli(['agent', '--registry', 'http://x', `--key-age=${age}`], io, services, '1')).toBe(1)
    expect(io.err).toContain('not here [internal]')
  })

  test('of a token tells how long it may last', async () => {
    expect((await help('node', 'token')).replace(/\s+/g, ' ')).toContain('from 60 s to 24 h (default: 24h)')
    expect((await help('token', 'create')).replace(/\s+/g, ' ')).toContain('from 60 s to 366 d')
  })

  test('the version is what the binary says', async () => {
    const io = memoryIo()
    expect(await runCli(['--version'], io, services, '1.2.3')).toBe(0)
    expect(io.out).toBe('1.2.3\n')
  })
})

describe('a failure that nobody foresaw', () => {
  test('is one line, without its stack', async () => {
    const io = memoryIo()
    expect(await runCli(['serve'], io, services, '1.2.3')).toBe(1)
    expect(io.err).toBe(
      'hookline: not here [internal]\n  run it again with HOOKLINE_DEBUG=1 and report what it prints\n',
    )
  })

  test('shows its stack when it is asked for', async () => {
    const io = memoryIo({ env: { HOOKLINE_DEBUG: '1' } })
    await runCli(['serve'], io, services, '1.2.3')
    expect(io.err).toContain('help.test.ts')
  })
})
