import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ATTACKS, type Attack } from './attacks.ts'

/** The attacks that each must fail; some are two rows. */
const DEMANDED = [
  ...['tampered object', 'tampered manifest', 'object of another release (mix and match)', 'unsigned'],
  ...[
    'wrong signer',
    'right signer of another namespace',
    'revoked key',
    'revoked release on a running node',
  ],
  ...['rollback to an older version', 'freeze (stale catalog)', 'split view (two log heads)'],
  ...['namespace takeover', 'duplicate JSON keys', 'bundle that covers more files than there are'],
  ...['bundle that covers fewer files than there are', 'replayed publish token', 'emptied function'],
  ...['compromised registry that serves a consistent but unsigned set', 'altered function'],
  ...['reordered function', 'replayed function', 'function aimed at a node whose labels it does not match'],
  ...['forged revocation', 'release outside the asked range', 'private blob fetched by its digest'],
  ...['retired node key', 'replayed key rotation', 'node that joins with the labels of others'],
  ...['join token used once more', 'join token after its end'],
]

test('every attack that is demanded has a row, and no name has two', () => {
  const names = ATTACKS.map(({ name }) => name)
  expect(DEMANDED.filter((name) => !names.includes(name))).toEqual([])
  expect(new Set(names).size).toBe(names.length)
})

test.each(['registry', 'node'] as const)('at the %s each has a code of its own, or says why not', (where) => {
  const seen = new Set<string>()
  for (const { name, shares, ...attack } of ATTACKS) {
    const outcome = attack[where]
    if (!('code' in outcome)) continue
    if (shares === undefined) expect([name, seen.has(outcome.code)]).toEqual([name, false])
    seen.add(outcome.code)
  }
})

const cellOf = (outcome: Attack['registry'] | Attack['node']): string =>
  'code' in outcome ? `\`${outcome.code}\`` : outcome.why
/** The tables of docs/security.md, as they must stand there. */
const documented = [
  '| attack | is after | what stops it | at the registry | at the node |',
  '|---|---|---|---|---|',
  ...ATTACKS.map(
    ({ name, asset, stops, registry, node }) =>
      `| ${name} | ${asset} | ${stops} | ${cellOf(registry)} | ${cellOf(node)} |`,
  ),
].join('\n')
const shared = [
  '| attack | why it has the code of another |',
  '|---|---|',
  ...ATTACKS.flatMap(({ name, shares }) => (shares === undefined ? [] : [`| ${name} | ${shares} |`])),
].join('\n')

test('docs/security.md has the same tables', () => {
  const text = readFileSync('docs/security.md', 'utf8')
  expect(text).toContain(documented)
  expect(text).toContain(shared)
})
