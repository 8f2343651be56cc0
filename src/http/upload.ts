import type { FastifyRequest } from 'fastify'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { FileName, MANIFEST_FILE } from '../domain/names.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { StagedNames } from '../domain/upload.ts'
import { parseWith } from '../domain/yaml.ts'
import type { Upload } from '../registry/publish.ts'

/** A release as the form has it. */
type SentRelease = Omit<Upload, 'visibility'> & { readonly staged: StagedNames }

/** Parts of a release: the manifest and the other files, the bundles, the provenance, and the names of files that were sent ahead. */
const PARTS = LIMITS.release_files + 3 + LIMITS.release_bundles
/** How much is read and thrown away behind a refusal, so that the sender gets to read the answer. */
const DISCARD_BYTES = 2 * LIMITS.release_bytes

/** Options of the multipart parser: every part is a file, its bytes untouched; the sizes are counted here. */
export const MULTIPART = {
  isPartAFile: () => true,
  preservePath: true, // folders are refused, not cut off
  throwFileSizeLimit: false,
  limits: { parts: PARTS + 1, files: PARTS + 1, fileSize: DISCARD_BYTES, headerPairs: 20 },
}

/**
 * Reads a release from parts `manifest`, `bundle` (the publisher's first), `provenance` and `staged` (may be absent) and `file`
 * (each with its filename). Sizes and counts
 * are held while the bytes arrive. Throws `too_large`, `invalid_request`.
 */
export async function readUpload(request: FastifyRequest): Promise<SentRelease> {
  if (!request.isMultipart())
    throw new DomainError('unsupported_media_type', 'a release is sent as multipart/form-data')
  try {
    return await readParts(request)
  } catch (cause) {
    // limits of the parser have a status, and an answer, of their own
    if (!(cause instanceof Error) || cause instanceof DomainError || 'statusCode' in cause) throw cause
    throw new DomainError('invalid_request', `the form cannot be read: ${cause.message}`, { cause })
  }
}

async function readParts(request: FastifyRequest): Promise<SentRelease> {
  const parts = new ReleaseParts()
  let refusal: DomainError | undefined
  let total_bytes = 0
  for await (const part of request.parts()) {
    if (part.type !== 'file')
      throw new DomainError('invalid_request', `part "${part.fieldname}" is not a file`)
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of part.file) {
      const piece: Buffer = chunk
      bytes += piece.length
      total_bytes += piece.length
      if (total_bytes > DISCARD_BYTES) throw refusal ?? tooLarge('the release', LIMITS.release_bytes)
      refusal ??= parts.refuses(part.fieldname, part.filename, bytes, total_bytes)
      if (refusal === undefined) chunks.push(piece)
      else chunks.length = 0
    }
    refusal ??= parts.refuses(part.fieldname, part.filename, bytes, total_bytes)
    if (refusal === undefined) parts.add(part.fieldname, part.filename, Buffer.concat(chunks))
  }
  if (refusal !== undefined) throw refusal
  return parts.upload()
}

const tooLarge = (what: string, limit_bytes: number): DomainError =>
  new DomainError('too_large', `${what} is larger than ${limit_bytes} bytes`)

const invalid = (why: string): DomainError => new DomainError('invalid_request', why)

/** The parts read so far. */
class ReleaseParts {
  readonly #single = new Map<string, Buffer>()
  readonly #files = new Map<string, Buffer>()
  readonly #bundles: Buffer[] = []

  /** Why a part of which `bytes` have arrived cannot be part of the release, if so. */
  refuses(field: string, filename: string, bytes: number, total_bytes: number): DomainError | undefined {
    if (total_bytes > LIMITS.release_bytes + 2 * LIMITS.bundle_bytes + LIMITS.bundles_bytes)
      return tooLarge('the release', LIMITS.release_bytes)
    if (field === 'bundle') return this.#refusesBundle(bytes)
    if (field === 'manifest' || field === 'provenance' || field === 'staged') {
      const limit_bytes = field === 'provenance' ? LIMITS.bundle_bytes : LIMITS.manifest_bytes
      if (bytes > limit_bytes) return tooLarge(`the ${field}`, limit_bytes)
      return this.#single.has(field) ? invalid(`part "${field}" was sent twice`) : undefined
    }
    if (field !== 'file')
      return invalid(`part "${field}" is not known: manifest, bundle, provenance, staged or file`)
    if (!FileName.safeParse(filename).success)
      return invalid(`file name ${JSON.stringify(filename)} is not a plain name`)
    if (filename === MANIFEST_FILE) return invalid(`${MANIFEST_FILE} is sent as part "manifest"`)
    if (this.#files.has(filename)) return invalid(`file ${filename} was sent twice`)
    if (bytes > LIMITS.file_bytes) return tooLarge(`file ${filename}`, LIMITS.file_bytes)
    // the manifest is a file of the release too
    if (this.#files.size + 2 > LIMITS.release_files)
      return new DomainError('too_large', `the release has more than ${LIMITS.release_files} files`)
    return undefined
  }

  #refusesBundle(bytes: number): DomainError | undefined {
    if (this.#bundles.length > LIMITS.release_bundles)
      return new DomainError(
        'too_large',
        `the release has more than ${LIMITS.release_bundles} further signatures`,
      )
    const further = this.#bundles.slice(1).reduce((sum, { length }) => sum + length, bytes)
    if (this.#bundles.length > 0 && further > LIMITS.bundles_bytes)
      return tooLarge('all further bundles', LIMITS.bundles_bytes)
    return bytes > LIMITS.bundle_bytes ? tooLarge('the bundle', LIMITS.bundle_bytes) : undefined
  }

  add(field: string, filename: string, bytes: Buffer): void {
    if (field === 'file') this.#files.set(filename, bytes)
    else if (field === 'bundle') this.#bundles.push(bytes)
    else this.#single.set(field, bytes)
  }

  /** The files that were sent ahead, by name. */
  #stagedNames(): StagedNames {
    const part = this.#single.get('staged')
    if (part === undefined) return []
    const names = parseWith(
      StagedNames,
      parseStrictJson(part.toString('utf8'), 'part "staged"'),
      'invalid_request',
      'part "staged"',
    )
    const all = [...this.#files.keys(), ...names.map(({ name }) => name)]
    const twice = all.find((name, at) => all.indexOf(name) !== at)
    if (twice !== undefined) throw invalid(`file ${twice} was sent twice`)
    if (all.includes(MANIFEST_FILE)) throw invalid(`${MANIFEST_FILE} is sent as part "manifest"`)
    if (all.length + 1 > LIMITS.release_files)
      throw new DomainError('too_large', `the release has more than ${LIMITS.release_files} files`)
    return names
  }

  upload(): SentRelease {
    const manifest = this.#single.get('manifest')
    if (manifest === undefined) throw invalid('part "manifest" is missing')
    const [bundle = '', ...bundles] = this.#bundles.map((bytes) => bytes.toString('utf8'))
    return {
      ...{ manifest, bundle, bundles },
      provenance: this.#single.get('provenance')?.toString('utf8'),
      files: this.#files,
      staged: this.#stagedNames(),
    }
  }
}
