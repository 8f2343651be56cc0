import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseDocument } from '../attest/document.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { WitnessState } from '../ports/witness-state.ts'
import { HASH_BYTES } from '../tlog/merkle.ts'
import { formatNoteKey, parseNoteKey } from '../tlog/note-key.ts'
import { errnoOf } from './errno.ts'
import { makeDirectory } from './make-directory.ts'
import { replaceFile } from './replace-file.ts'

const Newest = z.strictObject({
  origin: z.string(),
  size: z.int().min(0).max(LIMITS.log_size),
  root: z.base64().transform((text) => Buffer.from(text, 'base64')),
  goesOn: z.strictObject({ key: z.string(), epoch: z.int().min(1) }).optional(),
})

/** A witness's memory in a directory: a file for each log, named by a hash of the log's name. Throws `file_unwritable`. */
export async function openWitnessState(dir: string): Promise<WitnessState> {
  await makeDirectory(dir, 0o700).catch((cause: unknown) => {
    throw new DomainError('file_unwritable', `the state directory ${dir} cannot be written`, { cause })
  })
  const nameOf = (origin: string): string => `${hash('sha256', origin)}.json`
  return {
    newest: async (origin) => {
      const path = join(dir, nameOf(origin))
      let bytes: Buffer
      try {
        bytes = await readFile(path)
      } catch (cause) {
        if (errnoOf(cause) === 'ENOENT') return undefined
        throw new DomainError('file_unreadable', `${path} cannot be read`, { cause })
      }
      const { size, root, goesOn, ...kept } = parseDocument(bytes, Newest, 'file_unreadable', path)
      // what cannot be read must never pass for a log that was never seen: it could be signed anew
      if (kept.origin !== origin || root.length !== HASH_BYTES)
        throw new DomainError('file_unreadable', `${path} is not what this witness wrote`)
      if (goesOn === undefined) return { size, root }
      return { size, root, goesOn: { key: parseNoteKey(goesOn.key), epoch: goesOn.epoch } }
    },
    save: (origin, { size, root, goesOn }) =>
      replaceFile(dir, nameOf(origin), {
        ...{ origin, size, root: root.toString('base64') },
        ...(goesOn && { goesOn: { key: formatNoteKey(goesOn.key), epoch: goesOn.epoch } }),
      }),
  }
}
