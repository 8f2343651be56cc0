import { cut } from './arithmetic.ts'
import { frameOf, join, NOTHING, NUMBER, offsetOf, type Value } from './value.ts'

/** The stack frames of a program's functions. All that is ever stored at a place stays possible there. */
export interface Stack {
  /** Stores the low `size` bytes of a value at places, undefined for any; whether that is news. */
  store(places: readonly number[] | undefined, size: number, value: Value): boolean
  /** What `size` bytes at places may hold, of what was stored there. */
  load(places: readonly number[] | undefined, size: number): Value
  /** Has unknown numbers written to `size` bytes, undefined for all up to the frame's end; whether that is news. */
  scribble(places: readonly number[] | undefined, size: number | undefined): boolean
}

interface Frame {
  /** Values by where they lie, `-offset * 16 + size`. */
  readonly cells: Map<number, Value>
  /** Bytes from, and behind, what unknown numbers were written to. */
  readonly scribbles: (readonly [number, number])[]
  /** What was stored at an unknown offset. */
  wild: Value
}

const keyOf = (offset: number, size: number): number => -offset * 16 + size
const startOf = (key: number): number => -Math.floor(key / 16)

/**
 * An empty stack. Only what is stored as 8 aligned bytes and loaded as such stays a pointer (check_stack_read_fixed_off,
 * kernel/bpf/verifier.c); parts and mixtures of what was stored are numbers.
 */
export function newStack(): Stack {
  const frames = new Map<number, Frame>()
  let everywhere: Value = NOTHING
  const frameAt = (frame: number): Frame => {
    const found = frames.get(frame) ?? { cells: new Map(), scribbles: [], wild: NOTHING }
    frames.set(frame, found)
    return found
  }
  const put = (place: number, size: number, value: Value): boolean => {
    const [frame, offset] = [frameAt(frameOf(place)), offsetOf(place)]
    if (offset === undefined) {
      const wild = join(frame.wild, join(value, NUMBER))
      const news = wild !== frame.wild
      frame.wild = wild
      return news
    }
    const key = keyOf(offset, size)
    const before = frame.cells.get(key) ?? NOTHING
    const after = join(before, value)
    frame.cells.set(key, after)
    return after !== before
  }
  const scribbleAt = (place: number, size: number | undefined): boolean => {
    const [frame, offset] = [frameAt(frameOf(place)), offsetOf(place)]
    if (offset === undefined) return put(place, 8, NUMBER)
    const end = size === undefined ? 0 : offset + size
    if (frame.scribbles.some(([from, behind]) => from <= offset && end <= behind)) return false
    frame.scribbles.push([offset, end])
    return true
  }
  const putEverywhere = (value: Value): boolean => {
    const before = everywhere
    everywhere = join(everywhere, join(value, NUMBER))
    return everywhere !== before
  }
  return {
    store(places, size, value) {
      const stored = size === 8 ? value : cut(value, size * 8, false)
      if (places === undefined) return putEverywhere(stored)
      return places.map((place) => put(place, size, stored)).includes(true)
    },
    scribble(places, size) {
      if (places === undefined) return putEverywhere(NUMBER)
      return places.map((place) => scribbleAt(place, size)).includes(true)
    },
    load(places, size) {
      const found =
        places === undefined
          ? [...frames.values()].map(allOf)
          : places.map((place) => read(frameAt(frameOf(place)), offsetOf(place), size))
      const value = found.reduce(join, everywhere)
      return size === 8 ? value : cut(value, size * 8, false)
    },
  }
}

const allOf = ({ cells, wild }: Frame): Value => [...cells.values()].reduce(join, join(wild, NUMBER))

function read(frame: Frame, offset: number | undefined, size: number): Value {
  if (offset === undefined) return allOf(frame)
  const end = offset + size
  let value = frame.wild
  for (const [key, cell] of frame.cells) {
    const start = startOf(key)
    if (start >= end || start + (key % 16) <= offset) continue
    value = join(value, start === offset && key % 16 === size ? cell : NUMBER)
  }
  const scribbled = frame.scribbles.some(([from, behind]) => from < end && offset < behind)
  return scribbled ? join(value, NUMBER) : value
}
