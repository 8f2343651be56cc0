import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { hookline, scratch } from './hookline.ts'

const folder = await scratch()
const script = join(folder, 'completion.bash')
beforeAll(async () => writeFile(script, (await hookline(folder, ['completion', 'bash'])).stdout))

/** What bash offers behind these words, the last of which is begun. */
function offered(...words: string[]): string[] {
  const line = ['hookline', ...words]
  const quoted = line.map((word) => `'${word}'`).join(' ')
  const run = `source ${script}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _hookline; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', run], { encoding: 'utf8' }).split('\n').filter(Boolean)
}

test('bash completes commands, commands below them, and flags', () => {
  expect(offered('pub')).toEqual(['publish'])
  expect(offered('trusted-publisher', '')).toEqual(expect.arrayContaining(['add', 'list', 'remove']))
  expect(offered('publish', './x', '--dry')).toEqual(['--dry-run'])
  expect(offered('function', 'apply', 'edge.yaml', '--k')).toEqual(['--key'])
  expect(offered('function', '--json', 'ro')).toEqual(['rollback'])
  expect(offered('nonsense', 'webh')).toEqual(['webhook'])
})

test.each(['zsh', 'fish'])('there is a script for %s, and none for another shell', async (shell) => {
  const run = await hookline(folder, ['completion', shell])
  expect([run.code, run.stdout]).toEqual([0, expect.stringContaining('trusted-publisher')])
  expect((await hookline(folder, ['completion', 'tcsh'])).code).toBe(2)
})
