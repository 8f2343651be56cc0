import type { ElfFunction } from '../functions.ts'
import type { Own } from './memory.ts'
import type { Run } from './run.ts'
import { type State, step, UNKNOWN_FRAME } from './step.ts'
import { join, NUMBER, type Value } from './value.ts'

/** Instructions that may still be looked at. */
export interface Budget {
  left: number
}

/** Follows every way through a function from what its registers may hold; false when the budget ends before. */
export function follow(run: Run, of: ElfFunction, budget: Budget): boolean {
  const frame = run.frames.get(of) ?? 0
  const code = run.codeOf(of)
  const known = new Map<number, State>()
  const waiting: number[] = []
  const meetAt = (slot: number, state: State): void => {
    const before = known.get(slot)
    const after = before === undefined ? state : meet(before, state)
    if (after === before) return
    known.set(slot, after)
    waiting.push(slot)
  }
  meetAt(0, {
    registers: [NUMBER, ...(run.inputs.get(of) ?? []), NUMBER, NUMBER, NUMBER, NUMBER],
    own: UNKNOWN_FRAME,
  })
  for (let from = waiting.pop(); from !== undefined; from = waiting.pop()) {
    let state = known.get(from)
    // what is known is kept only where ways meet
    for (let slot = from; state !== undefined; ) {
      if (budget.left-- <= 0) return false
      const here: number = slot
      const second = (): number => (here + 1 < code.slots ? code.at(here + 1).imm : 0)
      const ways = step({ run, of, slot, frame, ...state, instruction: code.at(slot), second })
      state = undefined
      for (const [next, after] of ways) {
        if (next < 0 || next >= code.slots) run.report?.('unknown', of, slot, 'leaves the function')
        else if (ways.length === 1 && next > slot && code.met[next] !== 1) [slot, state] = [next, after]
        else meetAt(next, after)
      }
    }
  }
  return true
}

/** Both: what is known whichever way was taken. The very state `a` when `b` adds nothing. */
function meet(a: State, b: State): State {
  const registers = a.registers.map((value, at) => join(value, b.registers[at] ?? NUMBER))
  const own = meetFrames(a.own, b.own)
  const same = own === a.own && registers.every((value, at) => value === a.registers[at])
  return same ? a : { registers, own }
}

function meetFrames(a: Own, b: Own): Own {
  if (a === b) return a
  const written = a.written & b.written
  const cells = new Map<number, Value>()
  let same = written === a.written
  for (const [key, value] of a.cells) {
    const other = b.cells.get(key)
    const both = other === undefined ? undefined : join(value, other)
    if (both !== undefined) cells.set(key, both)
    same &&= both === value
  }
  return same ? a : { written, cells }
}
