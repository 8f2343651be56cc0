import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { shellWord } from '../../src/domain/shell-word.ts'

test.each(['acme/app@1.0.0', 'a b', "it's", '$(id)`id`', '"\\"', 'x;y&z|w', '*', "'", '-n'])(
  'a shell reads the word for %j as it is',
  (text) => {
    const read = execFileSync('/bin/sh', ['-c', `printf %s ${shellWord(text)}x`], { encoding: 'utf8' })
    // printf takes what begins with a hyphen for its text here: the format comes first
    expect(read).toBe(`${text}x`)
  },
)
