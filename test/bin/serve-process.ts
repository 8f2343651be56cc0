import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { BINARY } from '../cli/hookline.ts'

const Started = z.strictObject({ url: z.string(), dataDir: z.string(), adminToken: z.string().optional() })

/** A registry in a process of its own. */
export interface ServeProcess {
  readonly url: string
  readonly adminToken: string | undefined
  readonly pid: number
  /** Sends a signal and waits for the end; gives the exit code, null when a signal ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<number | null>
  /** Waits for it to end by itself: its exit code, and what it printed on the way. */
  ended(): Promise<{ code: number | null; errors: string }>
}

/** Starts `serve` on a data directory and waits until it listens. Throws with its output when it ends instead. */
export async function startServe(dataDir: string): Promise<ServeProcess> {
  const child: ChildProcess = spawn(
    process.execPath,
    [BINARY, 'serve', '--data', dataDir, '--port', '0', '--json'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const ended = once(child, 'exit')
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += String(chunk)
  })
  if (child.stdout === null) throw new Error('no output')
  const lines = createInterface(child.stdout)
  const [line] = await Promise.race([
    once(lines, 'line'),
    ended.then(([code]) => {
      throw new Error(`serve ended with ${code}: ${errors}`)
    }),
  ])
  lines.on('line', (more) => {
    errors += more
  })
  const { url, adminToken } = Started.parse(JSON.parse(line))
  return {
    ...{ url, adminToken, pid: child.pid ?? 0 },
    end: async (signal) => {
      child.kill(signal)
      const [code] = await ended
      return code
    },
    ended: async () => {
      const [code] = await ended
      return { code, errors }
    },
  }
}
