#!/usr/bin/env node
import './agent-heap.ts'
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import type { Io } from '../cli/io.ts'
import { runCli } from '../cli/run.ts'
import { askSecret } from './ask-secret.ts'
import { applyNetworkSettings } from './network-settings.ts'

/** `npm run` works in the checkout's folder; paths are meant from the folder that npm was called in, which it tells. */
if (process.env['npm_lifecycle_event'] === 'hookline' && process.env['INIT_CWD'] !== undefined)
  process.chdir(process.env['INIT_CWD'])

/** A reader that has seen enough, such as `head`, closes the pipe: that is no failure. */
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit()
  })

const io: Io = {
  env: process.env,
  home: homedir(),
  columns: process.stdout.isTTY ? process.stdout.columns || 80 : undefined, // 0: a terminal that does not say,
  askSecret: process.stdin.isTTY && process.stderr.isTTY ? askSecret : undefined,
  write: (text) => void process.stdout.write(text),
  note: (text) => void process.stderr.write(text),
}
try {
  applyNetworkSettings(process.env)
} catch (cause) {
  process.stderr.write(
    `hookline: HOOKLINE_CA_FILE: ${cause instanceof Error ? cause.message : cause} [file_unreadable]\n  name a file with PEM certificates, or unset it\n`,
  )
  process.exit(1)
}
/** Empty is what a compose file makes of a variable that nobody set. */
const databaseUrl = process.env['DATABASE_URL'] || undefined
const { version }: { version: string } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)
process.exitCode = await runCli(
  process.argv.slice(2),
  io,
  {
    // each service's modules are loaded only when it runs: an agent never loads the database's
    serve: async ({ data, ...listen }, { json }) => {
      const s3 = (await import('./blob-settings.ts')).blobSettings(process.env)
      const identity = (await import('./identity-settings.ts')).identitySettings(process.env)
      const { PROTECTION } = await import('../http/protection.ts')
      const unlimited = process.env['HOOKLINE_RATE_LIMITS'] === 'off'
      await (await import('./serve.ts')).runServe({
        protection: unlimited ? { ...PROTECTION, rates: undefined } : PROTECTION,
        identity,
        log: (await import('./log-key.ts')).logSettings(process.env),
        ...listen,
        json,
        ...(data === undefined ? {} : { dataDir: data }),
        ...(databaseUrl === undefined ? {} : { databaseUrl }),
        ...(s3 === undefined ? {} : { s3 }),
      })
    },
    witness: async (flags, context) => (await import('./witness.ts')).runWitness(flags, context),
    agent: async (flags, context) => (await import('./agent.ts')).runAgent(flags, context, version),
    verifyRunning: async (flags) => (await import('./verify-running.ts')).verifyAgent(flags),
    doctor: async (flags) => (await import('./doctor.ts')).examineHost(flags),
  },
  version,
)
