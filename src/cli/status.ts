import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { LIMITS } from '../domain/limits.ts'
import { Observed } from '../domain/node.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { parseWith } from '../domain/yaml.ts'
import type { Context, Outcome } from './io.ts'
import { readLocalText } from './local-file.ts'
import { findNode } from './node.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { hostStatus, renderStatus, statusOf } from './status-text.ts'
import { jsonText, shown } from './terminal.ts'

/** Name of an agent's report in its state directory. */
const STATUS_FILE = 'status.json'

/** Flags of `hookline status`. */
export interface StatusFlags extends RegistryFlags {
  readonly node?: string | undefined
  readonly state?: string | undefined
}

/**
 * What runs where: of every node as reported to the registry, of one, or, with `state`, of this host as its agent last
 * wrote it, without a registry. Throws `not_found`, `file_unreadable`, `invalid_json`.
 */
export async function status(flags: StatusFlags, { io }: Context): Promise<Outcome> {
  if (flags.state !== undefined) {
    const path = join(flags.state, STATUS_FILE)
    const text = await readLocalText(path, LIMITS.observed_bytes, 'status')
    const observed = parseWith(Observed, parseStrictJson(text, path), 'invalid_json', path)
    return {
      json: observed,
      text: renderStatus(io, [hostStatus(observed)], new Date()),
    }
  }
  const all = await (await connectWithToken(io, flags)).nodes()
  const nodes = flags.node === undefined ? all : [findNode(all, flags.node)]
  return {
    json: { nodes },
    text: nodes.length === 0 ? 'no nodes' : renderStatus(io, nodes.map(statusOf), new Date()),
  }
}

/** Shows the status again and again until the process is ended; on a terminal each time on a cleared screen. */
export async function watchStatus(flags: StatusFlags, context: Context): Promise<never> {
  const { io, json } = context
  for (;;) {
    const outcome = await status(flags, context)
    const clear = io.columns === undefined || json ? '' : CLEAR_SCREEN
    io.write(`${clear}${json ? jsonText(outcome.json) : shown(outcome.text)}\n`)
    await setTimeout(LIMITS.watch_ms)
  }
}

/** Cursor home, erase display (ECMA-48). */
const CLEAR_SCREEN = '\u001b[H\u001b[2J'
