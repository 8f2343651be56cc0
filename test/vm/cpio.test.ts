import { expect, test } from 'vitest'
import { packCpio } from '../../tools/vm/cpio.ts'

const files = [
  { path: 'init', content: '#!/bin/sh\n', executable: true },
  { path: 'a/b/odd', content: Buffer.from([1, 2, 3]) },
]

/** Entries of an archive: what the kernel's own reader (init/initramfs.c) would make. */
function entriesOf(archive: Buffer): { path: string; mode: string; content: string }[] {
  const entries = []
  for (let at = 0; at < archive.length; ) {
    const number = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    expect(archive.toString('latin1', at, at + 6)).toBe('070701')
    const [mode, size, nameLength] = [number(1), number(6), number(11)]
    const name = at + 110
    const data = Math.ceil((name + nameLength) / 4) * 4
    entries.push({
      path: archive.toString('latin1', name, name + nameLength - 1),
      mode: mode.toString(8),
      content: archive.toString('latin1', data, data + size),
    })
    at = Math.ceil((data + size) / 4) * 4
  }
  return entries
}

test('an archive holds the files with their modes, their folders before them, and the end mark', () => {
  expect(entriesOf(packCpio(files, ['dev', 'x/y']))).toEqual([
    { path: 'a', mode: '40755', content: '' },
    { path: 'a/b', mode: '40755', content: '' },
    { path: 'dev', mode: '40755', content: '' },
    { path: 'x', mode: '40755', content: '' },
    { path: 'x/y', mode: '40755', content: '' },
    { path: 'init', mode: '100755', content: '#!/bin/sh\n' },
    { path: 'a/b/odd', mode: '100644', content: '\u0001\u0002\u0003' },
    { path: 'TRAILER!!!', mode: '0', content: '' },
  ])
})

test('equal files give equal bytes', () => expect(packCpio(files)).toEqual(packCpio(files)))
