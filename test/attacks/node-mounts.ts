import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { parsePrivateKey, sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { KeptLog } from '../../src/domain/kept-log.ts'
import type { Desired } from '../../src/domain/node.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { signCheckpoint } from '../../src/tlog/checkpoint.ts'
import { parseNoteKey } from '../../src/tlog/note-key.ts'
import { type Fleet, type KeyFile, KNOB_MANIFEST, knobObject, untilKept } from '../agent/fleet.ts'
import { describeRelease } from '../agent/held-release.ts'
import type { BuiltRelease } from '../http/release-builder.ts'
import { flipped, withFile, withKeyTwice, withoutFile } from './forgeries.ts'
import type { NodeScene } from './node-scene.ts'

/** What a node is told, and where its refusal shows. */
export interface NodeLie {
  readonly at: 'plain' | 'logged'
  /** Changes the desired state on its way; by default the registry tells the truth. */
  readonly desired?: (honest: Desired) => Desired
  /** What the registry double hands out itself: files by digest, parts of the log by path. */
  readonly blobs?: ReadonlyMap<string, Buffer>
  /** Function that is refused, or the node's own `errors`; by default the function that runs. */
  readonly seenIn?: string
  /** What happens once the lie is told. */
  readonly meanwhile?: () => Promise<void>
  /** Puts things right afterwards. */
  readonly after?: () => Promise<void>
  /** The chain must change, since what is refused runs. */
  readonly ends?: true
}

/** Prepares an attack on a node. */
export type NodeMount = (scene: NodeScene) => NodeLie | Promise<NodeLie>

const OBJECT = 'knob.bpf.o'
const textOf = ({ key }: KeyFile): string => key.publicKey.spki.toString('base64')

/** The registry resolves acme/knob to this release, and hands out its files. */
function offering(
  release: BuiltRelease,
  files: ReadonlyMap<string, Buffer> = release.files,
  shown: Partial<ReleaseDescriptor> = {},
  keys: readonly string[] = [],
): NodeLie {
  const described = { ...describeRelease(release, files), ...shown }
  return {
    at: 'plain',
    blobs: new Map([...files.values()].map((bytes) => [sha256Digest(bytes), bytes])),
    desired: (honest) => ({
      ...honest,
      resolutions: honest.resolutions.map(({ use }) => ({ use, version: described.version })),
      releases: [described],
      keys: [...honest.keys, ...keys],
    }),
  }
}

// releases
export const tamperedObject: NodeMount = ({ releases: { next } }) => {
  const honest = next.files.get(OBJECT) ?? Buffer.alloc(0)
  const { blobs = new Map(), ...lie } = offering(next)
  return { ...lie, blobs: new Map([...blobs, [sha256Digest(honest), flipped(honest)]]) }
}
export const tamperedWithDigest: NodeMount = ({ releases: { next } }) =>
  offering(next, withFile(next, OBJECT, flipped(next.files.get(OBJECT))))
export const tamperedManifest: NodeMount = ({ releases: { next } }) =>
  offering(next, withFile(next, 'hookline.yaml', flipped(next.files.get('hookline.yaml'))))
export const mixAndMatch: NodeMount = ({ releases: { next, other } }) =>
  offering(next, withFile(next, OBJECT, other.files.get(OBJECT) ?? Buffer.alloc(0)))
export const unsigned: NodeMount = ({ releases: { next } }) => offering(next, next.files, { bundle: '' })
export const wrongSigner: NodeMount = async ({ build, keys: { stranger } }) =>
  offering(await build(stranger), undefined, {}, [textOf(stranger)])
export const neighbour: NodeMount = async ({ build, keys: { neighbour: key } }) =>
  offering(await build(key), undefined, {}, [textOf(key)])
export const revokedKey: NodeMount = async ({ build, plain, trust, keys: { retired } }) => {
  writeFileSync(plain.node.trust, trust()) // until now it named the key
  return offering(await build(retired), undefined, {}, [textOf(retired)])
}
export const rollback: NodeMount = ({ releases: { old } }) => offering(old)
export const outsideRange: NodeMount = ({ releases: { beyond } }) => offering(beyond)
export const keyTwice: NodeMount = ({ releases: { next } }) =>
  offering(next, next.files, { bundle: withKeyTwice(next.bundle) })
export const signedFileMissing: NodeMount = async ({ build, fleet }) => {
  const release = await build(fleet.publisher, { also: [['NOTES', Buffer.from('read this first')]] })
  return offering(release, withoutFile(release, 'NOTES'))
}
export const fileNotSigned: NodeMount = ({ releases: { next } }) =>
  offering(next, withFile(next, 'NOTES', Buffer.from('slipped in')))
export const unsignedSet: NodeMount = ({ releases: { next } }) =>
  offering(next, withFile(next, OBJECT, knobObject(9)), { bundle: '' })
export const oldUnderNewName: NodeMount = ({ releases: { old } }) =>
  offering(old, old.files, { version: '1.2.0' })
/** The registry's own administrator adds a signer to acme, and the registry takes and offers what he signs. */
export const namespaceTakeover: NodeMount = async ({ fleet, keys: { intruder } }) => ({
  at: 'plain',
  meanwhile: async () => {
    await fleet.hookline('key', 'add', intruder.publicPath, '--namespace', 'acme')
    await fleet.publish('acme/knob', '1.3.0', { [OBJECT]: knobObject(9) }, KNOB_MANIFEST, intruder)
  },
  after: async () => void (await fleet.hookline('yank', 'acme/knob@1.3.0', '--message', 'not ours')),
})

// revocations
export const forgedRevocation: NodeMount = ({ keys: { stranger } }) => {
  const revoked = { kind: 'release', program: 'acme/knob', version: '1.1.0' } as const
  const at = '2026-05-01T12:00:00.000Z'
  const envelope = signRevocation({ revoked, reason: 'malicious', message: 'off', at }, stranger.key)
  const forged = [{ envelope, key: textOf(stranger) }]
  return {
    at: 'plain',
    seenIn: 'errors',
    desired: (honest) => ({ ...honest, revocations: forged, keys: [...honest.keys, textOf(stranger)] }),
  }
}
/** The registry goes on to offer it, and does not say that it was revoked: the node finds that in the log. */
export const revokedRelease: NodeMount = async ({ fleet, logged: { node } }) => {
  await fleet.publishKnob('1.0.0', 40, 'acme/doomed')
  const instances = [{ use: 'acme/doomed@^1.0' }]
  await fleet.apply('doomed', node, { onRevoke: 'detach', priority: 5, instances })
  await fleet.until(node, 'doomed', ({ functions }) =>
    functions.some(({ name, state }) => name === 'doomed' && state === 'running'),
  )
  await untilKept(node, 'doomed')
  let before: Desired | undefined
  let woken = false
  return {
    ...{ at: 'logged', seenIn: 'doomed', ends: true },
    desired: (honest) => {
      before ??= honest
      return woken ? { ...before, keys: before.keys.toReversed() } : before
    },
    meanwhile: async () => {
      await expect.poll(() => before, { timeout: 20_000 }).toBeDefined()
      const why = ['--reason', 'malicious', '--message', 'sends packets home']
      await fleet.hookline('revoke', 'acme/doomed@1.0.0', '--key', fleet.publisher.path, ...why)
      woken = true
    },
  }
}

// the log
const checkpointPath = (log: string): string => `/log/${log}/checkpoint`
const checkpointOf = async ({ url }: Fleet, log = 'catalog'): Promise<Buffer> =>
  Buffer.from(await (await fetch(new URL(checkpointPath(log), url))).arrayBuffer())
/** Shows these parts of the log, then publishes what has to be looked up in it. */
const showing = (parts: [string, Buffer][], { publishLogged }: NodeScene): NodeLie => ({
  ...{ at: 'logged', blobs: new Map(parts) },
  meanwhile: async () => void (await publishLogged()),
})

export const freeze: NodeMount = async (scene) => {
  const { fleet, logged, logTrust } = scene
  const logs = ['catalog', 'revocations']
  const parts = logs.map(async (log): Promise<[string, Buffer]> => {
    return [checkpointPath(log), await checkpointOf(fleet, log)]
  })
  const lie = showing(await Promise.all(parts), scene)
  await sleep(2100) // the checkpoints get older than a node will take
  return {
    ...lie,
    meanwhile: async () => {
      writeFileSync(logged.node.trust, logTrust(', maxAge: 2s'))
      await lie.meanwhile?.()
    },
    after: async () => writeFileSync(logged.node.trust, logTrust()),
  }
}
/** Another log as long as the one the node has seen, signed with the very key. */
export const splitView: NodeMount = (scene) => {
  const { fleet, logged } = scene
  const file = join(logged.node.state, 'log', 'catalog.json')
  const kept = KeptLog.parse(JSON.parse(readFileSync(file, 'utf8')))
  const key = parseNoteKey(kept.key)
  const privateKey = parsePrivateKey(readFileSync(fleet.path('registry', 'log.key'), 'utf8')).key
  const head = { origin: key.name, size: kept.size, root: randomBytes(32), extensions: [] }
  const note = signCheckpoint(head, { key, privateKey }, Math.floor(Date.now() / 1000))
  return showing([[checkpointPath('catalog'), Buffer.from(note)]], scene)
}
export const shortenedLog: NodeMount = async (scene) => {
  const { fleet, logged, publishLogged } = scene
  const old = await checkpointOf(fleet)
  await fleet.untilRuns(logged.node, 'logged', await publishLogged())
  return showing([[checkpointPath('catalog'), old]], scene)
}
export const alteredLog: NodeMount = async (scene) => {
  const note = String(await checkpointOf(scene.fleet))
  const altered = note.replace(/^\d+$/m, (size) => String(Number(size) + 1))
  return showing([[checkpointPath('catalog'), Buffer.from(altered)]], scene)
}
export const neverLogged: NodeMount = () => ({
  at: 'logged',
  desired: (honest) => ({ ...honest, releases: honest.releases.map(({ logged: _, ...release }) => release) }),
})
