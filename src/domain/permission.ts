import { z } from 'zod'
import { DomainError } from './errors.ts'

/**
 * What a program can do besides reading packets, letting them pass, and keeping its own maps. Found in the bytecode, named by
 * the manifest, granted by a node's policy.
 */
export const Permission = z.enum([
  ...(['drop', 'transmit', 'redirect', 'modify-packet', 'clone-packet', 'change-metadata'] as const),
  ...(['export-data', 'share-maps', 'timers', 'tail-call-out', 'read-processes', 'socket-access'] as const),
  ...(['call-kernel-functions', 'read-kernel-memory', 'read-user-memory', 'write-user-memory'] as const),
  ...(['override-return', 'send-signal', 'unknown'] as const),
])
export type Permission = z.infer<typeof Permission>

/** `low`: touches no packet and nothing outside. `medium`: decides about packets. `high`: reaches beyond the packet at hand. */
type Risk = 'low' | 'medium' | 'high'

interface PermissionEntry {
  readonly risk: Risk
  /** What it is, in a few words. */
  readonly title: string
  /** What a program with it can do, in one sentence. */
  readonly meaning: string
}

const entry = (risk: Risk, title: string, meaning: string): PermissionEntry => ({ risk, title, meaning })

/** Every permission in plain words. */
export const PERMISSIONS: Readonly<Record<Permission, PermissionEntry>> = {
  drop: entry('medium', 'drop packets', 'It can take packets away, so that nobody receives them.'),
  transmit: entry('medium', 'send packets back', 'It can send a packet out of the interface it came in by.'),
  redirect: entry(
    'high',
    'send packets elsewhere',
    'It can move packets to other interfaces, processors, network namespaces or sockets.',
  ),
  'modify-packet': entry('high', 'change packets', 'It can change, grow or shrink what packets hold.'),
  'clone-packet': entry(
    'high',
    'copy packets',
    'It can send copies of packets elsewhere, unseen by who receives them.',
  ),
  'change-metadata': entry(
    'medium',
    'change what the host notes of packets',
    'It can set mark, priority, queue, class, time stamp, tunnel or metadata, by which others decide about packets.',
  ),
  'export-data': entry(
    'medium',
    'send data to user space',
    'It can stream events, and what packets hold, to processes of the host.',
  ),
  'share-maps': entry(
    'medium',
    'share memory',
    'It asks for maps or memory that others on the host can share by name or mapping.',
  ),
  timers: entry('low', 'run later', 'It can run its own code at later times, without a packet.'),
  'tail-call-out': entry(
    'high',
    'go on with other programs',
    'It can hand packets to programs of a table that may be exchanged while it runs, and those may return anything.',
  ),
  'read-processes': entry(
    'medium',
    'see processes',
    'It can learn which process, user or control group is running.',
  ),
  'socket-access': entry(
    'high',
    'use sockets',
    'It can look up, read, set or steer sockets of the host, and learn their owners.',
  ),
  'call-kernel-functions': entry(
    'high',
    'call kernel functions',
    'It can call functions of the kernel or its modules, such as those of connection tracking; which ones is listed.',
  ),
  'read-kernel-memory': entry(
    'high',
    'read kernel memory',
    'It can read memory of the kernel, secrets of every process among it.',
  ),
  'read-user-memory': entry('high', 'read memory of processes', 'It can read the memory of processes.'),
  'write-user-memory': entry(
    'high',
    'write memory of processes',
    'It can write into the memory of processes.',
  ),
  'override-return': entry(
    'high',
    'make kernel functions fail',
    'It can replace what functions of the kernel return.',
  ),
  'send-signal': entry('high', 'signal processes', 'It can send signals to processes, and so end them.'),
  unknown: entry(
    'high',
    'do what is not known here',
    'It uses instructions, helpers or map types that this version does not know, or is too large to follow: it may do anything.',
  ),
}

/** One place in a program that needs a permission. */
export const PermissionFinding = z.strictObject({
  permission: Permission,
  entry: z.string(),
  /** Function that holds the instruction: the entry, one it calls, or one that is called back. */
  function: z.string(),
  /** Its index in the function, in 8-byte slots. */
  instruction: z.int().min(0),
  /** What the instruction does, such as `helper bpf_redirect#23`. */
  what: z.string(),
  /** `file:line` of the source, where the object says. */
  source: z.string().optional(),
})
export type PermissionFinding = z.infer<typeof PermissionFinding>

/** The permissions of findings, each once, in the order of the list above. */
export const permissionsOf = (found: readonly PermissionFinding[]): Permission[] =>
  Permission.options.filter((name) => found.some(({ permission }) => permission === name))

/** One finding for each permission that was found and is not declared: the first that was met. */
export const missingPermissions = (
  declared: readonly Permission[],
  found: readonly PermissionFinding[],
): PermissionFinding[] =>
  permissionsOf(found)
    .filter((name) => !declared.includes(name))
    .flatMap((name) => found.find(({ permission }) => permission === name) ?? [])

/** The same for what a policy grants. Whoever grants `unknown` grants what nobody can name: everything. */
export const refusedPermissions = (
  granted: readonly Permission[],
  found: readonly PermissionFinding[],
): PermissionFinding[] => (granted.includes('unknown') ? [] : missingPermissions(granted, found))

/** What the permissions `b` have and `a` lack, and the reverse. */
export const diffPermissions = (
  a: readonly Permission[],
  b: readonly Permission[],
): { added: Permission[]; removed: Permission[] } => ({
  added: Permission.options.filter((name) => b.includes(name) && !a.includes(name)),
  removed: Permission.options.filter((name) => a.includes(name) && !b.includes(name)),
})

/** Refuses a release that can do more than a policy grants. Throws `permission_not_granted`. */
export function requireGranted(
  ref: string,
  granted: readonly Permission[],
  found: readonly PermissionFinding[],
): void {
  const refused = refusedPermissions(granted, found)
  if (refused.length > 0)
    throw new DomainError(
      'permission_not_granted',
      `trust.yaml does not grant ${ref} ${evidenceText(refused)}`,
    )
}

const evidenceText = (findings: readonly PermissionFinding[]): string =>
  findings.map((finding) => `${finding.permission} (${placeText(finding)})`).join(', ')

/** A finding in one line: what, in which function at which instruction, and where in the source. */
export const placeText = ({ what, function: name, instruction, source }: PermissionFinding): string =>
  `${what} in ${name} at instruction ${instruction}${source === undefined ? '' : `, ${source}`}`
