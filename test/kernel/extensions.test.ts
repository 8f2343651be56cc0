import { join } from 'node:path'
import { expect, test } from 'vitest'
import { layoutsOf } from '../../src/bytecode/layout.ts'
import { rulesOf } from '../../src/bytecode/verdict-rules.ts'
import { attr, cString } from '../../src/kernel/bpf-attr.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { linkIds } from '../../src/kernel/bpf-link.ts'
import { type FunctionTypes, testRun } from '../../src/kernel/bpf-program.ts'
import { requirePin } from '../../src/kernel/bpffs.ts'
import { extensionsOf } from '../../src/kernel/extensions.ts'
import { Fd } from '../../src/kernel/fd.ts'
import { groupImage } from '../../src/kernel/group-image.ts'
import { bpf } from '../../src/kernel/libc.ts'
import { verdict } from '../bytecode/assembler.ts'
import { needs } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { examinedChains } from './examined-chains.ts'
import { PACKET } from './exchanged-code.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_PROG_LOAD, BPF_RAW_TRACEPOINT_OPEN, BPF_BTF_LOAD] = [5, 17, 18] as const
const PROG_TYPE_EXT = 28
const EPERM = 1
const [PASS, DROP] = [2, 1]

describeAsRoot('programs in place of a function of another', () => {
  const { folder, image, original, build, compare } = examinedChains('extensions')

  test('are found by their links', async (context) => {
    const entry = image('global')
    await build([entry])
    using chain = requirePin(join(folder, 'program'))
    const { id } = programInfo(chain)
    const part = await original(entry)
    const [layout = []] = layoutsOf([part])
    const parts = { images: [entry], parts: [part], rules: rulesOf('xdp', 'tcx'), countersMap: 0 }
    const { types } = groupImage(parts, layout, 0, undefined)
    const at = entry.functions.findIndex(({ name }) => name === 'classify')
    const typeId = types?.functions[at]?.typeId
    if (types === undefined || typeId === undefined) throw new Error('the chain has no types')

    using extension = loadExtension(chain, types, typeId)
    needs(
      'extensions',
      extension === undefined ? 'the kernel takes no program of this type' : undefined,
      context,
    )
    if (extension === undefined) return
    expect(extensionsOf(new Set([id]))).toEqual([])
    expect((await compare([entry])).differences).toEqual([])
    using link = attachExtension(extension)
    expect([...linkIds()]).not.toEqual([])
    const programId = programInfo(extension).id
    expect(extensionsOf(new Set([id]))).toEqual([{ programId, targetId: id }])
    expect(extensionsOf(new Set([programId]))).toEqual([])
    expect(testRun(chain, PACKET).verdict).toBe(DROP)
    const said = `program ${programId} runs in place of a function of program ${id}`
    expect((await compare([entry])).differences).toEqual([said])
    link.close()
    expect(testRun(chain, PACKET).verdict).toBe(PASS)
    expect((await compare([entry])).differences).toEqual([])
  })
})

/** A program that returns 5 in place of a function of `target`, of the same type; undefined where the kernel takes none. */
function loadExtension(target: Fd, { btf }: FunctionTypes, typeId: number): Fd | undefined {
  using types = opened(
    'load its types',
    bpf(
      BPF_BTF_LOAD,
      attr(28, [
        [0, 'pointer', btf],
        [16, 'u32', btf.length],
      ]),
    ),
  )
  const [code, license, functions] = [verdict(5), cString('GPL'), Buffer.alloc(8)]
  functions.writeUInt32LE(typeId, 4)
  const result = bpf(
    BPF_PROG_LOAD,
    attr(144, [
      [0, 'u32', PROG_TYPE_EXT],
      [4, 'u32', code.length / 8],
      [8, 'pointer', code],
      [16, 'pointer', license],
      [72, 'u32', types.number],
      [76, 'u32', functions.length],
      [80, 'pointer', functions],
      [88, 'u32', 1],
      [108, 'u32', typeId],
      [112, 'u32', target.number],
    ]),
  )
  return result === -EPERM ? undefined : opened('load an extension', result)
}

/** Puts it in the place of what it was loaded for, until the link is closed. */
const attachExtension = (extension: Fd): Fd =>
  opened('attach an extension', bpf(BPF_RAW_TRACEPOINT_OPEN, attr(16, [[8, 'u32', extension.number]])))

function opened(what: string, result: number): Fd {
  if (result < 0) throw new Error(`${what}: errno ${-result}`)
  return new Fd(result)
}
