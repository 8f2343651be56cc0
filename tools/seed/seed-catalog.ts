import { createHash } from 'node:crypto'
import { setTimeout as turn } from 'node:timers/promises'
import { lookOf } from '../../src/domain/name-rules.ts'
import type { PrismaClient } from '../../src/store/generated/client.ts'

/** How large a catalog is made. The same numbers make the same catalog. */
export interface SeedOptions {
  readonly programs: number
  readonly releases: number
  readonly seed: number
  /** Told how many programs are there. */
  readonly progress?: (programs: number) => void
}

const THINGS = [
  ...[
    'ratelimit',
    'firewall',
    'filter',
    'balancer',
    'conntrack',
    'mirror',
    'sampler',
    'tracer',
    'counter',
    'scrub',
  ],
  ...[
    'geoblock',
    'synproxy',
    'dnsguard',
    'quiclb',
    'natgate',
    'vlantag',
    'mplspop',
    'ipipdecap',
    'flowlog',
    'latency',
  ],
]
const TASTES = [
  ...['fast', 'tiny', 'edge', 'core', 'lab', 'strict', 'simple', 'smart', 'kube', 'metal', 'cloud', 'campus'],
  ...['carrier', 'home', 'iot', 'voice', 'video', 'game', 'bank', 'health'],
]
const VERBS = [
  'Drops',
  'Limits',
  'Counts',
  'Balances',
  'Marks',
  'Mirrors',
  'Samples',
  'Redirects',
  'Rewrites',
  'Guards',
]
const OBJECTS = [
  ...[
    'new TCP connections',
    'UDP floods',
    'packets of bogus sources',
    'DNS answers',
    'QUIC handshakes',
    'IPv6 fragments',
  ],
  ...[
    'SYN floods',
    'VLAN traffic',
    'ARP storms',
    'TLS hellos by their name',
    'IPIP tunnels',
    'flows over their share',
  ],
]
const WHERE = [
  'per source',
  'per prefix',
  'by country',
  'on every core',
  'without state',
  'with per-cpu maps',
  'at line rate',
]
const KEYWORDS = [
  'ddos',
  'firewall',
  'observability',
  'load-balancing',
  'dns',
  'tcp',
  'udp',
  'ipv6',
  'tunnel',
  'kubernetes',
]
const LICENSES = [
  'GPL-2.0-only',
  'GPL-2.0-only',
  'GPL-2.0-only',
  'MIT',
  'Apache-2.0',
  'BSD-2-Clause OR GPL-2.0-only',
]
const HOOKS = [
  ['xdp'],
  ['xdp'],
  ['tc-ingress'],
  ['tc-egress'],
  ['tc-ingress', 'tc-egress'],
  ['xdp', 'tc-egress'],
]
const KERNELS = [5004, 5010, 5010, 5015, 6001, 6001, 6006, 6012, 0]

/** Programs of one statement. */
const BATCH = 500
/** 2026-01-01: releases are published from here on. */
const BEGIN_MS = Date.UTC(2026, 0, 1)

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A UUID of a number, such that it does not meet those that the database makes. */
const idOf = (kind: number, number: number): string =>
  `00000000-0000-4${kind.toString(16).padStart(3, '0')}-8000-${number.toString(16).padStart(12, '0')}`
const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

/**
 * Fills the catalog with programs and their releases, by statements for many rows each. What is made is found, shown and
 * counted like anything that was published; its bytes and signatures are not there, so it cannot be fetched or verified.
 */
export async function seedCatalog(prisma: PrismaClient, options: SeedOptions): Promise<void> {
  const random = numbers(options.seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] ?? (from[0] as T)
  const namespaces = Math.max(1, Math.ceil(options.programs / 40))
  await addNamespaces(prisma, namespaces)
  let left = options.releases
  for (let from = 0; from < options.programs; from += BATCH) {
    const programs = []
    const releases = []
    for (let number = from; number < Math.min(from + BATCH, options.programs); number++) {
      const mean = left / (options.programs - number)
      const last = number === options.programs - 1
      const count = last
        ? left
        : Math.max(1, Math.min(left - (options.programs - number - 1), Math.round(mean * (0.5 + random()))))
      left -= count
      const namespace = number % namespaces
      const name = `${pick(TASTES)}-${pick(THINGS)}-${number}`
      const ref = `${namespaceName(namespace)}/${name}`
      const [hooks, license, kernel] = [pick(HOOKS), pick(LICENSES), pick(KERNELS)]
      const keywords = [...new Set([pick(KEYWORDS), pick(KEYWORDS)])]
      const summary = `${pick(VERBS)} ${pick(OBJECTS)} ${pick(WHERE)}`
      const downloads = Math.floor(10 ** (random() * 6))
      const updated_ms = BEGIN_MS + Math.floor(random() * 300 * 86_400_000)
      const versions = Array.from({ length: count }, (_, at) => `1.${Math.floor(at / 5)}.${at % 5}`)
      programs.push({
        ...{
          id: idOf(1, number),
          namespace: idOf(0, namespace),
          ref,
          look: lookOf(name),
          latest: versions.at(-1) ?? '',
        },
        ...{ summary, license, kernel, downloads, words: [...ref.split(/[/-]/), ref, ...keywords].join(' ') },
        ...{ hooks: hooks.join(','), updated: new Date(updated_ms).toISOString() },
        readme: `# ${name}\n\n${summary}. ${pick(VERBS)} ${pick(OBJECTS)} as well, ${pick(WHERE)}.`,
      })
      for (const [at, version] of versions.entries()) {
        const manifest = {
          ...{ name: ref, version, summary, license, keywords },
          programs: hooks.map((hook, index) => ({ object: 'program.bpf.o', entry: `entry_${index}`, hook })),
          ...(kernel === 0
            ? {}
            : { requires: { kernel: `>=${Math.floor(kernel / 1000)}.${kernel % 1000}` } }),
        }
        releases.push({
          ...{
            id: idOf(2, number * 4096 + at),
            program: idOf(1, number),
            namespace: idOf(0, namespace),
            version,
          },
          ...{ manifest: JSON.stringify(manifest), digest: digestOf(`${ref}@${version}`) },
          published: new Date(updated_ms - (count - 1 - at) * 3_600_000).toISOString(),
        })
      }
    }
    await addPrograms(prisma, programs)
    for (let at = 0; at < releases.length; at += 10 * BATCH)
      await addReleases(prisma, releases.slice(at, at + 10 * BATCH))
    options.progress?.(Math.min(from + BATCH, options.programs))
    await turn(0)
  }
  await prisma.$executeRaw`ANALYZE`
}

const namespaceName = (number: number): string => `team-${number.toString(36)}x`
const SIGNER = digestOf('the key that signs what is seeded')

async function addNamespaces(prisma: PrismaClient, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, number) => ({
    id: idOf(0, number),
    name: namespaceName(number),
  }))
  await prisma.$executeRaw`
    INSERT INTO "namespace" ("id", "name", "look")
    SELECT "id"::uuid, "name", 'seeded ' || "name"
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS "row"("id" text, "name" text)`
  await prisma.$executeRaw`
    INSERT INTO "signing_key" ("namespace_id", "fingerprint", "spki")
    SELECT "id", ${SIGNER}, '\\x00'::bytea FROM "namespace" WHERE "look" LIKE 'seeded %'`
}

async function addPrograms(prisma: PrismaClient, rows: readonly object[]): Promise<void> {
  await prisma.$executeRaw`
    INSERT INTO "program" ("id", "namespace_id", "ref", "look", "latest", "summary", "words", "readme", "hooks", "license",
      "min_kernel", "downloads", "updated_at")
    SELECT "id"::uuid, "namespace"::uuid, "ref", "look", "latest", "summary", "words", "readme",
      string_to_array("hooks", ','), "license", "kernel", "downloads", "updated"::timestamptz
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS "row"("id" text, "namespace" text, "ref" text, "look" text,
      "latest" text, "summary" text, "words" text, "readme" text, "hooks" text, "license" text, "kernel" int,
      "downloads" bigint, "updated" text)`
}

async function addReleases(prisma: PrismaClient, rows: readonly object[]): Promise<void> {
  const json = JSON.stringify(rows)
  await prisma.$executeRaw`
    INSERT INTO "release" ("id", "program_id", "version", "manifest", "bundle", "namespace_id", "signer", "published_at", "main_object")
    SELECT "id"::uuid, "program"::uuid, "version", "manifest"::json, '{}', "namespace"::uuid, ${SIGNER},
      "published"::timestamptz, 'program.bpf.o'
    FROM json_to_recordset(${json}::json) AS "row"("id" text, "program" text, "version" text, "manifest" text,
      "namespace" text, "published" text)`
  await prisma.$executeRaw`
    INSERT INTO "blob" ("digest", "size", "touched_at")
    SELECT "digest", 20000, NULL FROM json_to_recordset(${json}::json) AS "row"("digest" text) ON CONFLICT DO NOTHING`
  await prisma.$executeRaw`
    INSERT INTO "release_file" ("release_id", "name", "digest")
    SELECT "id"::uuid, 'program.bpf.o', "digest" FROM json_to_recordset(${json}::json) AS "row"("id" text, "digest" text)`
}
