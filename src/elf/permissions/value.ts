/** What a pointer may point at; bits of {@link Value.pointers}. The stack is apart: its places are known. */
export const POINTS = {
  /** The context, at its start. */
  context: 1,
  /** Memory that is no packet: values of maps, records of ring buffers, sockets. */
  data: 2,
  packet: 4,
  /** The metadata in front of a packet (data_meta). */
  metadata: 8,
  /** A map itself; one whose values are maps. */
  map: 16,
  outerMap: 32,
  /** A function of the program. */
  code: 64,
  /** Kernel objects, and whatever is not told apart. */
  other: 128,
} as const
const EVERYTHING = 255

/** Numbers, and places of the stack, that are told apart before all are taken as possible. */
const MOST_NUMBERS = 8
const MOST_PLACES = 8

/**
 * What a register or a stack slot may hold: the union of all three parts. Numbers are 64 bits, unsigned. A list that is
 * undefined stands for any.
 */
export interface Value {
  readonly pointers: number
  readonly numbers: readonly bigint[] | undefined
  /** Places of stacks, see {@link placeOf}. */
  readonly places: readonly number[] | undefined
}

/** Nothing: what no execution brings about. */
export const NOTHING: Value = { pointers: 0, numbers: [], places: [] }
/** Any number, and no pointer. */
export const NUMBER: Value = { pointers: 0, numbers: undefined, places: [] }
/** Anything at all. */
export const ANYTHING: Value = { pointers: EVERYTHING, numbers: undefined, places: undefined }

/** A pointer and nothing else; several bits: any of these. */
export const pointer = (pointers: number): Value => ({ pointers, numbers: [], places: [] })
/** The result of what may fail: a pointer or NULL. */
export const orNull = (pointers: number): Value => ({ pointers, numbers: [0n], places: [] })
/** One of some numbers. */
export const oneOf = (...numbers: readonly (number | bigint)[]): Value => ({
  pointers: 0,
  numbers: limited(numbers.map((number) => BigInt.asUintN(64, BigInt(number)))),
  places: [],
})
/** A pointer into a stack. */
export const stackPlace = (place: number): Value => ({ pointers: 0, numbers: [], places: [place] })

/** Whether it may be a pointer of any kind. */
export const mayPoint = ({ pointers, places }: Value): boolean => pointers !== 0 || places?.length !== 0
/** Whether it may be a number. */
export const mayCount = ({ numbers }: Value): boolean => numbers?.length !== 0

/** Distinct numbers, or undefined when they are too many to be told apart. */
export function limited(numbers: readonly bigint[]): readonly bigint[] | undefined {
  if (numbers.length < 2) return numbers
  const distinct = new Set(numbers)
  return distinct.size > MOST_NUMBERS ? undefined : [...distinct]
}

/** Both: what either may be. The very value `a` when `b` adds nothing. */
export function join(a: Value, b: Value): Value {
  if (a === b) return a
  const pointers = a.pointers | b.pointers
  const numbers = union(a.numbers, b.numbers, limited)
  const places = union(a.places, b.places, limitedPlaces)
  return pointers === a.pointers && numbers === a.numbers && places === a.places
    ? a
    : { pointers, numbers, places }
}

function union<T>(
  a: readonly T[] | undefined,
  b: readonly T[] | undefined,
  limit: (all: readonly T[]) => readonly T[] | undefined,
): readonly T[] | undefined {
  if (a === undefined || b === undefined) return undefined
  if (b === a || b.length === 0) return a
  const more = b.filter((each) => !a.includes(each))
  return more.length === 0 ? a : limit([...a, ...more])
}

/** Bytes of a stack frame (MAX_BPF_STACK, include/linux/filter.h). */
export const FRAME_BYTES = 512
const FRAME_PLACES = 1024
const ANYWHERE = FRAME_PLACES - 1

/** A place as a number: the frame's, and the offset from its end, -512 to 0; undefined is anywhere in the frame. */
export const placeOf = (frame: number, offset: number | undefined): number =>
  frame * FRAME_PLACES +
  (offset === undefined || offset < -FRAME_BYTES || offset > 0 ? ANYWHERE : offset + FRAME_BYTES)
export const frameOf = (place: number): number => Math.floor(place / FRAME_PLACES)
export const offsetOf = (place: number): number | undefined =>
  place % FRAME_PLACES === ANYWHERE ? undefined : (place % FRAME_PLACES) - FRAME_BYTES

/** Few places as they are, more as whole frames, and too many frames as any place. */
export function limitedPlaces(places: readonly number[]): readonly number[] | undefined {
  const distinct = new Set(places)
  if (distinct.size <= MOST_PLACES) return [...distinct]
  const frames = new Set(places.map((place) => placeOf(frameOf(place), undefined)))
  return frames.size > MOST_PLACES ? undefined : [...frames]
}
