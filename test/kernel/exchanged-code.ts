import { decodeAt, IMM64_KIND, OP, SLOT_BYTES } from '../../src/bytecode/instruction.ts'

/** A packet of 64 bytes, no longer than any test program looks at. */
export const PACKET = Buffer.alloc(64, 1)

/** Where instructions name a map, or a place in a map's value: the map, and where in the code it and the offset are. */
export function mapSlots(
  code: Buffer,
  kind: 'map' | 'value',
): { readonly map: number; readonly mapAt: number; readonly offsetAt: number }[] {
  const wanted = kind === 'map' ? IMM64_KIND.MAP_FD : IMM64_KIND.MAP_VALUE
  const found: ReturnType<typeof mapSlots> = []
  for (let at = 0; at < code.length / SLOT_BYTES; at++) {
    const { code: op, src, imm } = decodeAt(code, at)
    if (op !== OP.LD_IMM64) continue
    const mapAt = at * SLOT_BYTES + 4
    if (src === wanted) found.push({ map: imm, mapAt, offsetAt: mapAt + SLOT_BYTES })
    at++
  }
  return found
}
