import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { canonicalBase64, canonicalNumber } from './canonical.ts'
import { HASH_BYTES } from './merkle.ts'

/** Shows to whoever has the log's key, and nothing else, that an entry is in the log (C2SP tlog-proof). */
export interface LogProof {
  readonly index: number
  readonly proof: readonly Buffer[]
  /** The signed checkpoint that the proof leads to. */
  readonly note: string
  /** Bytes that come along, for which nobody vouches: ours are those of the entry, whose hash the proof is about. */
  readonly extra?: Buffer | undefined
}

/** What a log asks a witness to sign: a checkpoint, and that it continues the one of `from` entries (C2SP tlog-witness). */
export interface WitnessRequest {
  readonly from: number
  readonly proof: readonly Buffer[]
  readonly note: string
}

const HEADER = 'c2sp.org/tlog-proof@v1\n'

/** A proof as a file: `.tlog-proof`. */
export const formatLogProof = ({ index, proof, note, extra }: LogProof): string =>
  `${HEADER}${extra === undefined ? '' : `extra ${extra.toString('base64')}\n`}index ${index}\n${hashLines(proof)}\n${note}`

/** Reads a proof; nothing in it is checked. Throws `log_malformed`. */
export function parseLogProof(text: string): LogProof {
  const what = 'proof of an entry'
  if (!text.startsWith(HEADER)) throw malformed(what, 'it is of another form')
  const body = text.slice(HEADER.length)
  const [, extra, encoded] = /^(extra ([A-Za-z0-9+/]+={0,2})\n)?/.exec(body) ?? []
  const bytes = encoded === undefined ? undefined : canonicalBase64(encoded)
  if (encoded !== undefined && bytes === undefined) throw malformed(what, 'its extra data is not base64')
  const { number, proof, note } = parseLines(body.slice(extra?.length ?? 0), 'index', what)
  return { index: number, proof, note, ...(bytes === undefined ? {} : { extra: bytes }) }
}

/** The body of a request for `add-checkpoint`. */
export const formatWitnessRequest = ({ from, proof, note }: WitnessRequest): string =>
  `old ${from}\n${hashLines(proof)}\n${note}`

/** Reads the body of a request for `add-checkpoint`; nothing in it is checked. Throws `log_malformed`. */
export function parseWitnessRequest(text: string): WitnessRequest {
  const { number, proof, note } = parseLines(text, 'old', 'request for a cosignature')
  return { from: number, proof, note }
}

const hashLines = (hashes: readonly Buffer[]): string =>
  hashes.map((hash) => `${hash.toString('base64')}\n`).join('')

/** A line with a word and a number, lines with a hash each, an empty line, and a note. */
function parseLines(
  text: string,
  word: string,
  what: string,
): { number: number; proof: Buffer[]; note: string } {
  const end = text.indexOf('\n\n')
  const [first = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\n')
  const number = first.startsWith(`${word} `) ? canonicalNumber(first.slice(word.length + 1)) : undefined
  if (number === undefined) throw malformed(what, `it does not begin with "${word}" and a number`)
  if (lines.length > LIMITS.log_proof_hashes) throw malformed(what, 'it has too many hashes')
  const proof = lines.map((line) => {
    const hash = canonicalBase64(line)
    if (hash?.length !== HASH_BYTES) throw malformed(what, 'a line is no hash in base64')
    return hash
  })
  return { number, proof, note: text.slice(end + 2) }
}

const malformed = (what: string, why: string): DomainError =>
  new DomainError('log_malformed', `${what}: ${why}`)
