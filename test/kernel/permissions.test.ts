import { expect, test } from 'vitest'
import { TC_VERDICTS, XDP_VERDICTS } from '../../src/domain/hook.ts'
import type { Permission } from '../../src/domain/permission.ts'
import { seededRandom } from '../../tools/fuzz/random.ts'
import { foundIn } from '../elf/permissions/found.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { corpus, forTc } from './corpus.ts'
import { loadOriginal } from './load-original.ts'
import { PROGRAMS, type TestHook, type TestProgram, titleOf } from './programs.ts'
import { takenHere } from './refused-originals.ts'
import { runOn } from './test-run.ts'

const SEED = 20_262
const MOST_BYTES = 1600
/** What a program may set in struct __sk_buff that BPF_PROG_TEST_RUN gives back: mark, priority, cb, tstamp. */
const NOTES = [
  [8, 4],
  [32, 4],
  [48, 20],
  [152, 8],
] as const

/** The permission that a verdict needs, told by its name. */
function permissionOf(hook: TestHook, verdict: number): Permission | undefined {
  if (hook === 'xdp') {
    const name = XDP_VERDICTS[verdict]
    if (name === 'pass') return undefined
    return name === 'tx' ? 'transmit' : name === 'redirect' ? 'redirect' : 'drop'
  }
  const signed = verdict | 0
  if (signed === TC_VERDICTS.redirect) return 'redirect'
  return [TC_VERDICTS.shot, TC_VERDICTS.stolen, TC_VERDICTS.trap].includes(signed as 2) ? 'drop' : undefined
}

/** What a program is seen to do with packets by chance. */
function seen(bytes: Buffer, program: TestProgram): Set<Permission> {
  const did = new Set<Permission>()
  const frames = corpus(seededRandom(SEED, 1), { most: MOST_BYTES })
  using original = loadOriginal(bytes, program)
  for (const frame of program.hook === 'xdp' ? frames : forTc(frames)) {
    const { verdict, packet } = runOn(original.program, program.hook, { bytes: frame })
    const needed = permissionOf(program.hook, verdict)
    if (needed !== undefined) did.add(needed)
    if (!packet.bytes.equals(frame)) {
      // bytes in front of an XDP packet may be metadata
      const metadata = program.hook === 'xdp' ? packet.context.readUInt32LE(0) : 0
      did.add(metadata > 0 ? 'change-metadata' : 'modify-packet')
    }
    const noted = NOTES.some(([at, size]) =>
      packet.context.subarray(at, at + size).some((byte) => byte !== 0),
    )
    if (program.hook !== 'xdp' && noted) did.add('change-metadata')
  }
  return did
}

describeAsRoot('what the kernel is seen to do with packets was found in the bytecode', () => {
  const all = new Set<Permission>()
  test.each(takenHere(PROGRAMS).map((each) => [titleOf(each), each] as const))('of %s', (_, program) => {
    const bytes = compileSource(program.source, { flags: program.flags ?? [] })
    const did = seen(bytes, program)
    for (const permission of did) all.add(permission)
    const found = foundIn(bytes, program.entry, program.hook)
    expect([...did].filter((permission) => !found.includes(permission))).toEqual([])
  })
  test('and they do much', () =>
    expect([...all].sort()).toEqual(['change-metadata', 'drop', 'modify-packet', 'redirect', 'transmit']))
})
