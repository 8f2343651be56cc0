import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HttpDouble } from '../client/double.ts'
import { hookline, scratch } from './hookline.ts'

const folder = await scratch()
await mkdir(join(folder, 'a-folder'))
await writeFile(join(folder, 'text.txt'), 'this is not a key: at all\n')
await writeFile(
  join(folder, 'function.yaml'),
  'kind: function\nname: edge\nselector: {}\ninterfaces: [eth0]\ninstances: [{ use: acme/limit@1 }]\n',
)
await hookline(folder, ['keygen', '--out', 'k'])
const closed = await HttpDouble.start(() => {})
await closed.close()

const here = { HOOKLINE_URL: closed.url, HOOKLINE_TOKEN: 'token' }
/** What was done wrong, the command line, its exit code and error code, and the settings it had. */
const MISTAKES: [string, string[], number, string, Record<string, string>?][] = [
  ['an unknown command', ['frobnicate'], 2, 'usage'],
  ['an unknown flag', ['keygen', '--frob'], 2, 'usage'],
  ['an argument too many', ['keygen', 'x', 'y'], 2, 'usage'],

  ['an unknown algorithm', ['keygen', '--algorithm', 'rsa'], 2, 'usage'],
  ['an existing key', ['keygen', '--out', 'k'], 1, 'file_exists'],
  ['a place that does not exist', ['keygen', '--out', 'nowhere/k'], 1, 'file_unwritable'],

  ['no object', ['init', '--namespace', 'acme'], 2, 'usage'],
  ['no namespace', ['init', 'x.o'], 2, 'usage'],
  ['an object that does not exist', ['init', 'x.o', '--namespace', 'acme'], 1, 'file_unreadable'],
  ['a namespace that cannot be one', ['init', 'text.txt', '--namespace', 'A'], 2, 'usage'],
  ['no object', ['inspect'], 2, 'usage'],
  ['an object that does not exist', ['inspect', 'x.o'], 1, 'file_unreadable'],
  ['a folder in place of an object', ['inspect', 'a-folder'], 1, 'file_unreadable'],
  ['text in place of an object', ['inspect', 'text.txt'], 1, 'elf_not_elf'],

  ['no directory', ['publish'], 2, 'usage'],
  [
    'a directory without hookline.yaml',
    ['publish', 'a-folder', '--key', 'k.pem'],
    1,
    'file_unreadable',
    here,
  ],
  ['a file in place of a directory', ['publish', 'text.txt', '--key', 'k.pem'], 1, 'file_unreadable', here],

  ['nobody to trust', ['verify', 'acme/limit@1.0.0'], 2, 'usage', here],
  [
    'two ways of trust',
    ['verify', 'acme/limit@1.0.0', '--signer', 'k.pub.pem', '--policy', 'p'],
    2,
    'usage',
    here,
  ],
  [
    'a flag of another kind',
    ['verify', 'acme/limit', '--signer', 'k.pub.pem', '--state', 'x'],
    2,
    'usage',
    here,
  ],
  ['a name that is none', ['verify', 'limit', '--signer', 'k.pub.pem'], 1, 'invalid_name', here],
  [
    'a bundle that does not exist',
    ['verify', '.', '--bundle', 'b', '--signer', 'k.pub.pem'],
    1,
    'file_unreadable',
  ],
  ['no registry', ['verify', 'acme/limit@1.0.0', '--signer', 'k.pub.pem'], 2, 'no_registry'],
  [
    'no registry there',
    ['verify', 'acme/limit@1.0.0', '--signer', 'k.pub.pem'],
    1,
    'registry_unavailable',
    here,
  ],

  ['no registry', ['show', 'acme/limit'], 2, 'no_registry'],
  ['an address that is none', ['show', 'acme/limit', '--url', 'registry'], 2, 'usage'],
  ['a name that is none', ['show', 'limit'], 1, 'invalid_name', here],
  ['no registry there', ['show', 'acme/limit'], 1, 'registry_unavailable', here],

  ['no place to write to', ['pull', 'acme/limit', '--signer', 'k.pub.pem'], 2, 'usage', here],
  ['nobody to trust', ['pull', 'acme/limit', '--out', 'o'], 2, 'usage', here],
  [
    'trust and none of it',
    ['pull', 'acme/limit', '--out', 'o', '--unverified', '--signer', 'k.pub.pem'],
    2,
    'usage',
    here,
  ],
  [
    'no registry there',
    ['pull', 'acme/limit', '--out', 'o', '--unverified'],
    1,
    'registry_unavailable',
    here,
  ],

  ['no token', ['namespace', 'create', 'acme', '--url', closed.url], 2, 'no_token'],
  ['a name that is none', ['namespace', 'create', 'Acme!'], 2, 'usage', here],
  ['no owner', ['key', 'add', 'k.pub.pem'], 2, 'usage', here],
  ['two owners', ['key', 'add', 'k.pub.pem', '--operator', '--namespace', 'acme'], 2, 'usage', here],
  ['a private key to be published', ['key', 'add', 'k.pem', '--operator'], 1, 'invalid_key', here],
  ['text in place of a key', ['key', 'add', 'text.txt', '--operator'], 1, 'invalid_key', here],
  ['no owner', ['key', 'list'], 2, 'usage', here],
  ['no scope named', ['token', 'create'], 2, 'usage', here],
  ['a scope that is none', ['token', 'create', '--scope', 'all'], 2, 'usage', here],
  ['a time that is none', ['token', 'create', '--scope', 'read', '--ttl', 'soon'], 2, 'usage', here],
  ['a time too short', ['node', 'token', '--ttl', '59s'], 2, 'usage', here],
  ['a time too long', ['node', 'token', '--ttl', '25h'], 2, 'usage', here],
  ['more nodes than may join', ['node', 'token', '--uses', '10001'], 2, 'usage', here],
  ['a time too long', ['token', 'create', '--scope', 'read', '--ttl', '367d'], 2, 'usage', here],
  ['no token', ['node', 'list', '--url', closed.url], 2, 'no_token'],
  ['no node', ['node', 'show'], 2, 'usage', here],
  ['a label twice', ['node', 'token', '--label', 'role=edge', '--label', 'role=core'], 2, 'usage', here],
  [
    'a label that is free and not',
    ['node', 'token', '--label', 'role=edge', '--free-label', 'role'],
    2,
    'usage',
    here,
  ],
  ['a count that is none', ['node', 'token', '--uses', '0'], 2, 'usage', here],

  ['no file', ['function', 'apply'], 2, 'usage', here],
  [
    'a file that does not exist',
    ['function', 'apply', 'none.yaml', '--key', 'k.pem'],
    1,
    'file_unreadable',
    here,
  ],
  [
    'a file that is no function',
    ['function', 'apply', 'text.txt', '--key', 'k.pem'],
    1,
    'invalid_function',
    here,
  ],
  ['no key', ['function', 'apply', 'function.yaml'], 2, 'usage', here],
  [
    'a public key to sign with',
    ['function', 'apply', 'function.yaml', '--key', 'k.pub.pem'],
    1,
    'invalid_key',
    here,
  ],
  [
    'no registry there',
    ['function', 'apply', 'function.yaml', '--key', 'k.pem'],
    1,
    'registry_unavailable',
    here,
  ],
  ['no token', ['function', 'list', '--url', closed.url], 2, 'no_token'],
  ['no name', ['function', 'show'], 2, 'usage', here],
  ['no key', ['function', 'remove', 'edge'], 2, 'usage', here],
  ['no key', ['function', 'rollback', 'edge'], 2, 'usage', here],
  [
    'a revision that is none',
    ['function', 'rollback', 'edge', '--key', 'k.pem', '--to-revision', 'x'],
    2,
    'usage',
    here,
  ],

  ['no registry', ['status'], 2, 'no_registry'],
  ['a state directory without a report', ['status', '--state', 'a-folder'], 1, 'file_unreadable'],
  ['a port that is none', ['serve', '--port', '99999'], 2, 'usage'],
  ['a label that is none', ['agent', '--label', 'edge'], 2, 'usage'],
]

describe('a mistake gets one clear line, what to do, and its exit code', () => {
  test.concurrent.each(MISTAKES)('%s: hookline %j', async (_, args, exit, code, env) => {
    const run = await hookline(folder, args, env)
    expect(run).toMatchObject({ code: exit, stdout: '' })
    const lines = run.stderr.split('\n')
    expect(lines[0]).toMatch(new RegExp(`^hookline: .{10,} \\[${code}\\]$`))
    expect(lines.slice(1)).toEqual([expect.stringMatching(/^ {2}\S.{5,}/), ''])
  })

  test.each([
    [['search', '--hook', 'lan'], '--hook: give one of xdp, tc-ingress, tc-egress'],
    [['visibility', 'acme/limit', 'hidden'], '<who>: give one of public, private'],
    [['token', 'revoke', '01a2'], '<id>: give an id, whole as the list shows it'],
    [['webhook', 'add', 'nowhere'], '<address>: give an address such as https://ci.example.org/hook'],
    [
      ['trusted-publisher', 'add', 'acme/limit', '--repository', 'acme'],
      '--repository: owner/name, letter for letter',
    ],
  ])('%j says what would fit', async (args, what) => {
    expect((await hookline(folder, args, here)).stderr).toContain(`hookline: ${what} [usage]`)
  })

  test('with --json, all of it in one object on standard output', async () => {
    const run = await hookline(folder, ['show', 'limit', '--json'], here)
    expect([run.code, run.stderr]).toEqual([1, ''])
    expect(JSON.parse(run.stdout)).toEqual({
      error: { code: 'invalid_name', message: expect.stringContaining('limit'), remedy: expect.any(String) },
    })
  })

  test('a limit is told in the flag’s own words, and whose help tells more', async () => {
    const run = await hookline(folder, ['node', 'token', '--ttl', '31d'], here)
    expect(run.stderr).toBe(
      'hookline: --ttl: give a time from 60 s to 24 h [usage]\n  see `hookline node token --help`\n',
    )
  })

  test.each([
    ['hookline', []],
    ['hookline function', ['function']],
  ])('%s without a command shows its help, on standard error', async (command, args) => {
    const run = await hookline(folder, args)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(new RegExp(`^Usage: ${command} \\[`))
    expect(run.stderr).toMatch(/^(Commands|Write and publish programs):$/m)
    expect(run.stderr).toMatch(new RegExp(`\\[usage\\]\\n {2}see \`${command} --help\`\\n$`))
  })

  test('and its stack only on request', async () => {
    const run = await hookline(folder, ['show', 'limit'], { ...here, HOOKLINE_DEBUG: '1' })
    expect(run.stderr).toMatch(/\n {4}at /)
  })
})
