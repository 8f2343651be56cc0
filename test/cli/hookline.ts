import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Io } from '../../src/cli/io.ts'

/** The real binary. */
export const BINARY = new URL('../../src/bin/hookline.ts', import.meta.url).pathname

/** What a run of the binary left behind. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A folder for one test file, removed behind it. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hookline-cli-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Runs the real binary in `cwd`, which is also its home, with no settings but those given. */
export async function hookline(cwd: string, args: string[], env: Record<string, string> = {}): Promise<Run> {
  // compiled once for all runs of a file: most of a short run is reading sources
  const NODE_COMPILE_CACHE = join(cwd, '.compiled')
  const child = spawn(process.execPath, [BINARY, ...args], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd, NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk) => out.push(chunk))
  child.stderr.on('data', (chunk) => err.push(chunk))
  const [code] = await once(child, 'close')
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }
}

/** An Io that keeps what is written. */
export function memoryIo(given: Partial<Io> = {}): Io & { out: string; err: string } {
  const io = {
    env: {},
    home: '/nonexistent',
    columns: undefined,
    out: '',
    err: '',
    write: (text: string) => {
      io.out += text
    },
    note: (text: string) => {
      io.err += text
    },
    ...given,
  }
  return io
}
