import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
const CHANNELS = 3
const PALETTE = 256

/**
 * The same picture with at most 256 colours, a third of the size (PNG, third edition): those that are used most, and for each
 * other one that which is nearest. `png` is what browsers make: 8 bits a channel, no transparency, not interlaced. Throws for
 * another one.
 */
export function smallPng(png: Buffer): Buffer {
  const { width, height, pixels } = readPixels(png)
  const used = new Map<number, number>()
  const colour = (at: number): number => pixels.readUIntBE(at, CHANNELS)
  for (let at = 0; at < pixels.length; at += CHANNELS) used.set(colour(at), (used.get(colour(at)) ?? 0) + 1)
  const palette = [...used]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, PALETTE)
    .map(([value]) => value)
  const slots = new Map([...used.keys()].map((value) => [value, nearest(value, palette)]))
  const lines = Buffer.alloc((width + 1) * height) // a byte before each line says that it is not filtered
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      lines[y * (width + 1) + 1 + x] = slots.get(colour((y * width + x) * CHANNELS)) ?? 0
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3], 8) // 8 bits, which name a colour of the palette
  const colours = Buffer.alloc(palette.length * CHANNELS)
  for (const [at, value] of palette.entries()) colours.writeUIntBE(value, at * CHANNELS, CHANNELS)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function nearest(colour: number, palette: readonly number[]): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY]
  for (const [at, other] of palette.entries()) {
    const channel = (shift: number): number => ((colour >> shift) & 255) - ((other >> shift) & 255)
    const distance = channel(16) ** 2 + channel(8) ** 2 + channel(0) ** 2
    if (distance < least) [best, least] = [at, distance]
  }
  return best
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

/** The pixels of a picture, three bytes each, line by line. */
function readPixels(png: Buffer): { width: number; height: number; pixels: Buffer } {
  const parts: Buffer[] = []
  let header = Buffer.alloc(0)
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const type = png.toString('latin1', at + 4, at + 8)
    const data = png.subarray(at + 8, at + 8 + length)
    if (type === 'IHDR') header = Buffer.from(data)
    if (type === 'IDAT') parts.push(data)
    at += length + 12
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  const form = header.subarray(8).toString('hex')
  if (form !== '0802000000') throw new Error(`a picture of another form: ${form}`)
  const stride = width * CHANNELS
  const lines = inflateSync(Buffer.concat(parts))
  const pixels = Buffer.alloc(stride * height)
  for (let y = 0; y < height; y++) unfilter(lines, pixels, y, stride)
  return { width, height, pixels }
}

/** Undoes the filter of a line (section 9.2): each byte is told by those to its left, above it, and above those. */
function unfilter(lines: Buffer, pixels: Buffer, y: number, stride: number): void {
  const from = y * (stride + 1)
  const filter = lines[from]
  for (let x = 0; x < stride; x++) {
    const to = y * stride + x
    const left = x >= CHANNELS ? (pixels[to - CHANNELS] ?? 0) : 0
    const above = y > 0 ? (pixels[to - stride] ?? 0) : 0
    const corner = x >= CHANNELS && y > 0 ? (pixels[to - stride - CHANNELS] ?? 0) : 0
    const told = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter ?? 0] ?? 0
    pixels[to] = (lines[from + 1 + x] ?? 0) + told
  }
}

function paeth(left: number, above: number, corner: number): number {
  const [toLeft, toAbove] = [Math.abs(above - corner), Math.abs(left - corner)]
  const toCorner = Math.abs(left + above - 2 * corner)
  if (toLeft <= toAbove && toLeft <= toCorner) return left
  return toAbove <= toCorner ? above : corner
}
