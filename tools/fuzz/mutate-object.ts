import type { Field, SeedObject } from './object-fields.ts'
import { pick, type Random } from './random.ts'

/** A changed copy of one of the seeds: one to three changes, most of them of numbers that a reader trusts. */
export function mutateObject(seeds: readonly SeedObject[], random: Random): Buffer {
  const seed = pick(random, seeds)
  let bytes: Buffer = Buffer.from(seed.bytes)
  for (let left = 1 + random(3); left > 0; left--) bytes = change(bytes, seed, seeds, random)
  return bytes
}

function change(bytes: Buffer, seed: SeedObject, seeds: readonly SeedObject[], random: Random): Buffer {
  if (bytes.length < 8) return bytes
  switch (random(24)) {
    case 0:
      return flipBits(bytes, random)
    case 1:
      return bytes.subarray(0, random(bytes.length)) // a truncated copy or download
    case 2:
      return splice(bytes, pick(random, seeds).bytes, random)
    case 3:
      return shift(bytes, random)
    case 4:
      return exchange(bytes, seed, random)
    case 5:
      return scribble(bytes, random)
    default:
      return edit(bytes, seed, random)
  }
}

function flipBits(bytes: Buffer, random: Random): Buffer {
  for (let left = 1 + random(16); left > 0; left--) {
    const at = random(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
  }
  return bytes
}

/** Overwrites a part by a part of another object, or of the same. */
function splice(bytes: Buffer, from: Buffer, random: Random): Buffer {
  const length = 1 + random(512)
  const start = random(from.length)
  from.copy(bytes, random(bytes.length), start, start + length)
  return bytes
}

/** Takes some bytes out, or doubles them, so that everything behind is elsewhere than its offset says. */
function shift(bytes: Buffer, random: Random): Buffer {
  const at = random(bytes.length)
  const length = 1 + random(64)
  const behind = random(2) === 0 ? at + length : Math.max(0, at - length)
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(behind)])
}

function scribble(bytes: Buffer, random: Random): Buffer {
  const at = random(bytes.length)
  const fill = pick(random, [0, 0xff, 0x41, 0x0a, 0x1b])
  return bytes.fill(fill, at, Math.min(bytes.length, at + 1 + random(128)))
}

/** Gives one field the value of another of its kind: a section the offset of another, a type the id of another. */
function exchange(bytes: Buffer, seed: SeedObject, random: Random): Buffer {
  const list = pick(random, seed.fields)
  const to = pick(random, list)
  const from = pick(
    random,
    list.filter((field) => field.width === to.width),
  )
  write(bytes, to, read(bytes, from))
  return bytes
}

function edit(bytes: Buffer, seed: SeedObject, random: Random): Buffer {
  const field = pick(random, pick(random, seed.fields))
  const old = read(bytes, field)
  const power = 1n << BigInt(random(field.width * 8))
  const value = pick(random, [
    () => 0n,
    () => -1n,
    () => power,
    () => power - 1n,
    () => -power, // huge, and wrapping when something is added
    () => old + 1n,
    () => old - 1n,
    () => old + 8n,
    () => old ^ power,
    () => old << 1n,
    () => BigInt(bytes.length),
    () => BigInt(bytes.length) - old,
    () => BigInt(random(64)),
    () => (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32)),
  ])
  write(bytes, field, value())
  return bytes
}

/** The number of a field, as far as it still is inside the file. */
function read(bytes: Buffer, { offset, width }: Field): bigint {
  const number = Buffer.alloc(8)
  bytes.copy(number, 0, Math.min(offset, bytes.length), offset + width)
  return number.readBigUInt64LE()
}

/** Writes as much as still is inside the file; an earlier change may have cut it. */
function write(bytes: Buffer, { offset, width }: Field, value: bigint): void {
  const number = Buffer.alloc(8)
  number.writeBigUInt64LE(BigInt.asUintN(64, value))
  number.copy(bytes, Math.min(offset, bytes.length), 0, width)
}
