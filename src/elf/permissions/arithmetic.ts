import {
  ANYTHING,
  frameOf,
  join,
  limited,
  limitedPlaces,
  mayCount,
  mayPoint,
  NUMBER,
  offsetOf,
  POINTS,
  placeOf,
  type Value,
} from './value.ts'

/** Operations by the upper four bits of the code (RFC 9669 section 4.1). */
export const ALU = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  xor: 0xa0,
  mov: 0xb0,
  arsh: 0xc0,
  end: 0xd0,
} as const

/** Bits of a mask so few that all results of `x & mask` are told apart. */
const FEW_BITS = 4

/**
 * What an operation on 32 or 64 bits makes of two operands; `signed` for division. A pointer stays one under operations on
 * 64 bits, whatever is done with it; the kernel refuses most. One to the context is lost to all precision once it is moved.
 */
export function operate(operation: number, bits: 32 | 64, a: Value, b: Value, signed: boolean): Value {
  const pointers = mayPoint(a) || mayPoint(b)
  const numbers = pointers && !additive(operation) ? undefined : numbersOf(operation, bits, a, b, signed)
  if (!pointers) return numbers === undefined ? NUMBER : { ...NUMBER, numbers }
  if (bits === 32) return NUMBER
  if (operation === ALU.add) return { numbers, ...merged(moved(a, b, 1n), moved(b, a, 1n)) }
  if (operation === ALU.sub) {
    const difference = mayPoint(b) ? undefined : numbers
    return mayCount(b) ? { numbers: difference, ...moved(a, b, -1n) } : NUMBER
  }
  const both = join(a, b)
  const places = both.places?.map((place) => placeOf(frameOf(place), undefined))
  const context = (both.pointers & POINTS.context) !== 0
  return context ? ANYTHING : { ...both, numbers: undefined, places: places && limitedPlaces(places) }
}

const additive = (operation: number): boolean => operation === ALU.add || operation === ALU.sub

type Pointers = Pick<Value, 'pointers' | 'places'>

const merged = (a: Pointers, b: Pointers): Pointers => {
  const { pointers, places } = join({ ...a, numbers: [] }, { ...b, numbers: [] })
  return { pointers, places }
}

/** Where the pointers of `value` point once the numbers of `by` are added to them. */
function moved(value: Value, by: Value, sign: bigint): Pointers {
  if (!mayCount(by)) return { pointers: 0, places: [] }
  const stays = by.numbers?.every((number) => number === 0n) === true
  if ((value.pointers & POINTS.context) !== 0 && !stays) return ANYTHING
  const places = value.places?.flatMap((place) => {
    const offset = offsetOf(place)
    if (offset === undefined || by.numbers === undefined) return [placeOf(frameOf(place), undefined)]
    return by.numbers.map((number) => {
      const distance = BigInt.asIntN(64, number) * sign
      const far = distance > 1024n || distance < -1024n
      return placeOf(frameOf(place), far ? undefined : offset + Number(distance))
    })
  })
  return { pointers: value.pointers, places: places && limitedPlaces(places) }
}

function numbersOf(
  operation: number,
  bits: 32 | 64,
  { numbers: a }: Value,
  { numbers: b }: Value,
  signed: boolean,
): readonly bigint[] | undefined {
  if (a?.length === 0 || b?.length === 0) return []
  if (operation === ALU.and) {
    const mask = a === undefined ? b : a
    if ((a === undefined) !== (b === undefined) && mask !== undefined) return masked(mask, bits)
  }
  if (a === undefined || b === undefined) return undefined
  return limited(a.flatMap((x) => b.map((y) => calculate(operation, bits, x, y, signed))))
}

/** All that `x & mask` may be for any x. */
function masked(masks: readonly bigint[], bits: 32 | 64): readonly bigint[] | undefined {
  const results: bigint[] = []
  for (const mask of masks.map((number) => BigInt.asUintN(bits, number))) {
    const set = Array.from({ length: bits }, (_, at) => 1n << BigInt(at)).filter((bit) => (mask & bit) !== 0n)
    if (set.length > FEW_BITS) return undefined
    const chosen = [0n]
    for (const bit of set) chosen.push(...chosen.map((each) => each | bit))
    results.push(...chosen)
  }
  return limited(results)
}

/** One operation on two numbers (RFC 9669 section 4.1): division by zero gives 0, the remainder of it the dividend. */
function calculate(operation: number, bits: 32 | 64, x: bigint, y: bigint, signed: boolean): bigint {
  const read = (number: bigint): bigint =>
    signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number)
  const [a, b] = [read(x), read(y)]
  const shift = y & BigInt(bits - 1)
  const result = (): bigint => {
    switch (operation) {
      case ALU.add:
        return a + b
      case ALU.sub:
        return a - b
      case ALU.mul:
        return a * b
      case ALU.div:
        return b === 0n ? 0n : a / b
      case ALU.mod:
        return b === 0n ? a : a % b
      case ALU.or:
        return a | b
      case ALU.and:
        return a & b
      case ALU.xor:
        return a ^ b
      case ALU.lsh:
        return a << shift
      case ALU.rsh:
        return BigInt.asUintN(bits, x) >> shift
      case ALU.arsh:
        return BigInt.asIntN(bits, x) >> shift
      default:
        return -a // neg
    }
  }
  return BigInt.asUintN(bits, result())
}

/** The low `bits` of a value as a number of 64 bits, with its sign or zeros in front. What was a pointer is any number. */
export function cut(value: Value, bits: number, signed: boolean): Value {
  if (mayPoint(value)) return NUMBER
  const extended = (number: bigint): bigint =>
    signed ? BigInt.asUintN(64, BigInt.asIntN(bits, number)) : BigInt.asUintN(bits, number)
  return { ...NUMBER, numbers: value.numbers && limited(value.numbers.map(extended)) }
}

/** Conditions by the upper four bits of the code (RFC 9669 section 4.3). */
const JUMP = { always: 0x00, equal: 0x10, different: 0x50, call: 0x80, exit: 0x90, may: 0xe0 } as const
const CONDITIONS: Readonly<Record<number, (a: bigint, b: bigint) => boolean>> = {
  [JUMP.equal]: (a, b) => a === b,
  [0x20]: (a, b) => a > b,
  [0x30]: (a, b) => a >= b,
  [0x40]: (a, b) => (a & b) !== 0n,
  [JUMP.different]: (a, b) => a !== b,
  [0xa0]: (a, b) => a < b,
  [0xb0]: (a, b) => a <= b,
}
const SIGNED: Readonly<Record<number, (a: bigint, b: bigint) => boolean>> = {
  [0x60]: (a, b) => a > b,
  [0x70]: (a, b) => a >= b,
  [0xc0]: (a, b) => a < b,
  [0xd0]: (a, b) => a <= b,
}

/** Whether the upper four bits of a jump are a condition. */
export const isCondition = (operation: number): boolean => operation in CONDITIONS || operation in SIGNED

/**
 * What a value is where its comparison with a constant came out as `outcome`: numbers for which it cannot are left out. With
 * none left, and no pointer, nothing comes that way.
 */
export function narrowed(
  value: Value,
  operation: number,
  bits: 32 | 64,
  constant: bigint,
  outcome: boolean,
): Value {
  if (value.numbers === undefined) {
    const pinned = bits === 64 && operation === (outcome ? JUMP.equal : JUMP.different)
    return pinned ? { ...value, numbers: [BigInt.asUintN(64, constant)] } : value
  }
  const unsigned = CONDITIONS[operation]
  const holds = unsigned ?? SIGNED[operation]
  if (holds === undefined) return value
  const read = unsigned === undefined ? BigInt.asIntN : BigInt.asUintN
  const kept = value.numbers.filter((number) => holds(read(bits, number), read(bits, constant)) === outcome)
  return kept.length === value.numbers.length ? value : { ...value, numbers: kept }
}
