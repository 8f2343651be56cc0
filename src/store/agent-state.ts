import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { parseDocument } from '../attest/document.ts'
import { DomainError } from '../domain/errors.ts'
import { ChainRecord } from '../domain/generation.ts'
import { BelievedRevocation, KeptLog } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest } from '../domain/names.ts'
import { AcceptedOrder, Desired, Identity, Proven } from '../domain/node.ts'
import { AcceptedPolicy } from '../domain/policy-document.ts'
import type { AgentState } from '../ports/agent-state.ts'
import { errnoOf } from './errno.ts'
import { makeDirectory } from './make-directory.ts'
import { removeFile, replaceFile as replace, writeAside } from './replace-file.ts'
import { syncDirectory } from './sync.ts'

const [IDENTITY, DESIRED, STATUS, SEEN] = [
  'identity.json',
  'desired.json',
  'status.json',
  'seen.json',
] as const
const FOLDERS = [
  ...['orders', 'policies', 'proven', 'chains', 'objects', 'logs', 'log', 'revocations'],
] as const

/**
 * Opens an agent's state directory: `identity.json` (0600), `orders/<function>.json`, `proven/<function>.json`, `chains/<key>.json`,
 * `objects/<sha256>`, `log/<name>.json`, `revocations/<sha256>.json`, `desired.json`, `logs/`, and `status.json`, which others may read. Throws `file_unwritable`.
 */
export async function openAgentState(dir: string): Promise<AgentState> {
  try {
    await makeDirectory(dir, 0o755)
    for (const folder of FOLDERS) await makeDirectory(join(dir, folder), 0o700)
  } catch (cause) {
    throw new DomainError('file_unwritable', `the state directory ${dir} cannot be written`, { cause })
  }
  const read = readAgentState(dir)
  return {
    ...read,
    saveIdentity: (identity) => replace(dir, IDENTITY, identity),
    saveAcceptedOrder: (order) => replace(join(dir, 'orders'), `${order.name}.json`, order),
    saveAcceptedPolicy: (policy) => replace(join(dir, 'policies'), `${policy.name}.json`, policy),
    saveDesired: (desired) => replace(dir, DESIRED, desired),
    saveProven: (proven) => replace(join(dir, 'proven'), `${proven.function}.json`, proven),
    removeProven: (functionName) => removeFile(join(dir, 'proven', `${functionName}.json`)),
    saveLog: (name, kept) => replace(join(dir, 'log'), `${name}.json`, kept),
    saveRevocation: (revocation) =>
      replace(join(dir, 'revocations'), `${revocation.digest.slice('sha256:'.length)}.json`, revocation),
    saveBlob: async (digest, bytes) => {
      const path = objectPath(dir, digest)
      await writeAside(path, bytes, 0o600)
      await syncDirectory(join(dir, 'objects'))
    },
    collectBlobs: async (keep) => {
      const names = new Set([...keep].map((digest) => digest.slice('sha256:'.length)))
      for (const name of await readdir(join(dir, 'objects')))
        if (!names.has(name)) await rm(join(dir, 'objects', name), { force: true })
    },
    releaseSeen: async (content, now) => {
      const first = await read.releaseSeen(content, now)
      const seen = (await readParsed(join(dir, SEEN), SeenReleases)) ?? {}
      if (seen[content] !== first.toISOString())
        await replace(dir, SEEN, latest({ ...seen, [content]: first.toISOString() }))
      return first
    },
    saveChain: (record) => replace(join(dir, 'chains'), `${record.key}.json`, record),
    removeChain: (key) => removeFile(join(dir, 'chains', `${key}.json`)),
    saveVerifierLog: async (name, log) => {
      const path = join(dir, 'logs', `${name}.log`)
      await writeFile(path, log, { mode: 0o600 })
      return path
    },
    saveStatus: async (observed) => {
      const aside = join(dir, `${STATUS}.new`)
      await writeFile(aside, JSON.stringify(observed), { mode: 0o644 })
      await rename(aside, join(dir, STATUS))
    },
  }
}

/** When releases were first seen, by their content. */
const SeenReleases = z.record(Digest, z.iso.datetime())
type SeenReleases = z.infer<typeof SeenReleases>

/** The latest of them: what is forgotten counts as new when it is seen again. */
const latest = (seen: SeenReleases): SeenReleases =>
  Object.fromEntries(
    Object.entries(seen)
      .sort(([, a], [, b]) => (a < b ? 1 : -1))
      .slice(0, LIMITS.releases_seen),
  )

/** What is read of a state directory without its agent's leave: nothing is made or changed. */
export type AgentStateReader = Pick<
  AgentState,
  | 'identity'
  | 'acceptedOrders'
  | 'acceptedPolicies'
  | 'desired'
  | 'proven'
  | 'log'
  | 'revocations'
  | 'blob'
  | 'releaseSeen'
  | 'chains'
>

/** Looks into the state directory of an agent, which may run. Throws `file_unreadable` at the first look into one that is none. */
export const readAgentState = (dir: string): AgentStateReader => ({
  identity: () => readParsed(join(dir, IDENTITY), Identity),
  acceptedOrders: () => readAll(join(dir, 'orders'), AcceptedOrder),
  acceptedPolicies: () => readAll(join(dir, 'policies'), AcceptedPolicy),
  desired: () => readParsed(join(dir, DESIRED), Desired),
  proven: () => readAll(join(dir, 'proven'), Proven),
  log: (name) => readParsed(join(dir, 'log', `${name}.json`), KeptLog),
  revocations: () => readAll(join(dir, 'revocations'), BelievedRevocation),
  blob: (digest) => readIfThere(objectPath(dir, digest)),
  chains: () => readAll(join(dir, 'chains'), ChainRecord),
  releaseSeen: async (content, now) => {
    const known = (await readParsed(join(dir, SEEN), SeenReleases))?.[content]
    return known === undefined ? now : new Date(Math.min(Date.parse(known), now.getTime()))
  },
})

const objectPath = (dir: string, digest: Digest): string =>
  join(dir, 'objects', digest.slice('sha256:'.length))

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw new DomainError('file_unreadable', `${path} cannot be read`, { cause })
  }
}

async function readParsed<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> {
  const bytes = await readIfThere(path)
  if (bytes === undefined) return undefined
  return parseDocument(bytes, schema, 'file_unreadable', path)
}

async function readAll<T extends z.ZodType>(folder: string, schema: T): Promise<z.output<T>[]> {
  const found: z.output<T>[] = []
  for (const name of await namesIn(folder)) {
    if (!name.endsWith('.json')) continue
    const value = await readParsed(join(folder, name), schema)
    if (value !== undefined) found.push(value)
  }
  return found
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (cause) {
    const why =
      errnoOf(cause) === 'ENOENT'
        ? `no agent has run in ${dirname(folder)}: it has no ${basename(folder)}/`
        : `${folder} cannot be read`
    throw new DomainError('file_unreadable', why, { cause })
  }
}
