import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { generateKeyPair } from '../../src/attest/keys.ts'
import { type NoteKey, parseNoteKey } from '../../src/tlog/note-key.ts'
import { BINARY } from '../cli/hookline.ts'

const Started = z.strictObject({ url: z.string(), key: z.string() })

/** A witness in a process of its own. */
export interface WitnessProcess {
  readonly url: string
  readonly key: NoteKey
  /** Ends it; gives the exit code, null when a signal ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
}

/** Writes a new key for a witness, and gives its path. */
export async function witnessKeyFile(dir: string, name = 'w'): Promise<string> {
  const path = join(dir, `${name}.pem`)
  await writeFile(path, generateKeyPair('ed25519').privateKey, { mode: 0o600 })
  return path
}

/** How a witness is started. */
interface WitnessOptions {
  readonly name?: string
  readonly port?: number
  readonly recoveryKeys?: readonly string[]
}

/** Starts `hookline witness` and waits until it listens. Throws with its output when it ends instead. */
export async function startWitness(
  keyFile: string,
  logs: readonly string[],
  stateDir: string,
  { name = 'witness.test/w', port = 0, recoveryKeys = [] }: WitnessOptions = {},
): Promise<WitnessProcess> {
  const args = [
    ...['witness', '--key', keyFile, '--name', name, '--listen', `127.0.0.1:${port}`, '--state', stateDir],
    ...(recoveryKeys.length === 0 ? [] : ['--recovery-key', ...recoveryKeys]),
  ]
  const child: ChildProcess = spawn(process.execPath, [BINARY, ...args, '--json', '--log', ...logs], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  let output = ''
  child.stderr?.on('data', (chunk) => {
    output += String(chunk)
  })
  if (child.stdout === null) throw new Error('no output')
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    ended.then(([code]) => {
      throw new Error(`witness ended with ${code}: ${output}`)
    }),
  ])
  const started = Started.safeParse(JSON.parse(line))
  if (!started.success) throw new Error(`witness did not start: ${line}`)
  const { url, key } = started.data
  return {
    ...{ url, key: parseNoteKey(key) },
    end: async (signal) => {
      child.kill(signal)
      const [code] = await ended
      return code
    },
  }
}
