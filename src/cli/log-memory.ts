import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName } from '../domain/log.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { parseWith } from '../domain/yaml.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { replaceFile } from '../store/replace-file.ts'
import type { LogState } from '../tlog/log-state.ts'
import { formatNoteKey, parseNoteKey } from '../tlog/note-key.ts'
import type { Io } from './io.ts'
import { readLocalText, reasonOf } from './local-file.ts'

/** How a key came to be known: named by whoever ran the command, or taken at its word the first time. */
const Trust = z.enum(['given', 'first use'])
export type Trust = z.infer<typeof Trust>

/** A log as it was seen last. */
const Remembered = z.strictObject({
  key: z.string(),
  trust: Trust,
  since: z.iso.datetime(),
  size: z.int().min(0).max(LIMITS.log_size),
  /** How often it was begun anew. */
  epoch: z.int().min(0).default(0),
  root: z.base64(),
  /** The signed checkpoint: with another that contradicts it, it convicts the log. */
  checkpoint: z.string().max(LIMITS.note_bytes),
})
export type Remembered = z.infer<typeof Remembered>

const Memory = z.record(z.string(), z.partialRecord(LogName, Remembered))
type Memory = z.infer<typeof Memory>

/** What this user saw of logs, by registry. */
export interface LogMemory {
  readonly path: string
  of(registry: string, log: LogName): Remembered | undefined
  /** All logs that are known, of any registry. */
  all(): Remembered[]
  /** Keeps what was seen; whole or not at all. Throws `file_unwritable`. */
  save(registry: string, logs: Partial<Record<LogName, Remembered>>): Promise<void>
}

/** Where a user's memory of logs is by default: XDG_STATE_HOME, else ~/.local/state. */
const memoryPath = ({ env, home }: Io): string =>
  join(env['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'hookline', 'logs.json')

/** Opens the memory of logs in a file, by default the user's own. Throws `file_unreadable`, `invalid_json`. */
export async function openLogMemory(io: Io, file: string | undefined): Promise<LogMemory> {
  const path = resolve(file ?? memoryPath(io))
  let memory: Memory = {}
  if (existsSync(path)) {
    const text = await readLocalText(path, LIMITS.log_memory_bytes, 'state')
    memory = parseWith(Memory, parseStrictJson(text, path), 'invalid_json', path)
  }
  return {
    path,
    of: (registry, log) => memory[registry]?.[log],
    all: () => Object.values(memory).flatMap((logs) => Object.values(logs)),
    save: async (registry, logs) => {
      memory = { ...memory, [registry]: { ...memory[registry], ...logs } }
      const folder = dirname(path)
      await makeDirectory(folder, 0o700).catch((cause: unknown) => {
        throw new DomainError('file_unwritable', `cannot make ${folder}: ${reasonOf(cause)}`, { cause })
      })
      await replaceFile(folder, path.slice(folder.length + 1), memory)
    },
  }
}

/** What is remembered, as what a reader goes on from. Throws `log_key_invalid`. */
export const seenLog = ({ key, epoch, size, root }: Remembered): LogState => ({
  ...{ key: parseNoteKey(key), epoch, size, root: Buffer.from(root, 'base64') },
})

/** What to remember of a log. */
export const remembered = (
  { key, epoch, size, root }: LogState,
  checkpoint: Buffer | string,
  { trust, since }: Pick<Remembered, 'trust' | 'since'>,
): Remembered => ({
  ...{ key: formatNoteKey(key), trust, since, epoch, size },
  ...{ root: root.toString('base64'), checkpoint: checkpoint.toString() },
})
