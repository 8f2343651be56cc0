import { createHash } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { type Labels, orderName, selects } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import type { Desired } from '../domain/node.ts'
import { programOf, usesOf } from '../domain/resolution.ts'
import type { ChangeNotices } from '../ports/change-notices.ts'
import type { Fleet, FleetSnapshot, FunctionHead } from '../ports/fleet.ts'
import type { PolicyHead } from '../ports/policies.ts'
import { shareRoom } from './revocation-room.ts'

/** A desired state as it is sent. */
interface DesiredDocument {
  /** SHA-256 of `body`, hexadecimal. */
  readonly tag: string
  /** {@link Desired} in JSON. */
  readonly body: Buffer
}

/**
 * The orders that concern a node with `labels`: every function of which any revision selected it, the newest order
 * only. A function that no longer selects the node, or is removed, must still reach it: to a node, absence says nothing.
 */
export function ordersFor(heads: readonly FunctionHead[], labels: Labels): FunctionHead[] {
  const concerned = heads.filter((head) => head.selectors.some((selector) => selects(selector, labels)))
  const applied = concerned.filter(({ order }) => order.kind === 'apply')
  const removed = concerned
    .filter(({ order }) => order.kind === 'remove')
    .sort((a, b) => b.appliedAt.getTime() - a.appliedAt.getTime())
  return [...applied, ...removed]
    .slice(0, LIMITS.desired_functions)
    .sort((a, b) => (orderName(a.order) < orderName(b.order) ? -1 : 1))
}

/** Puts together what a node is sent: its orders, what their ranges resolve to, those releases, and all keys needed. */
function composeDesired(
  snapshot: FleetSnapshot,
  orders: readonly FunctionHead[],
  policies: readonly PolicyHead[],
): Desired {
  const uses = new Set(orders.flatMap(({ order }) => usesOf(order)))
  const resolutions = snapshot.resolutions.flatMap(({ use, version }) =>
    version !== undefined && uses.has(use) ? [{ use, version }] : [],
  )
  const wanted = new Set(resolutions.map(({ use, version }) => releaseRef(programOf(use), version)))
  const releases = snapshot.releases.filter(({ descriptor }) =>
    wanted.has(releaseRef(descriptor.program, descriptor.version)),
  )
  const programs = new Set([...uses].map(programOf))
  const keys = [
    ...releases.flatMap(({ signers }) => signers),
    ...snapshot.operators,
    ...policies.map(({ owner }) => owner),
  ]
  return {
    functions: orders.map(({ order, envelope }) => ({
      name: orderName(order),
      revision: order.revision,
      envelope,
    })),
    resolutions,
    releases: releases.map(({ descriptor }) => descriptor),
    keys: [...new Set(keys.map((spki) => spki.toString('base64')))].sort(),
    revocations: shareRoom(
      snapshot.revocations.filter(({ program }) => program === undefined || programs.has(program)),
    ).map(({ signed }) => signed),
    ...(policies.length === 0
      ? {}
      : { policies: policies.map(({ name, revision, envelope }) => ({ name, revision, envelope })) }),
  }
}

/** Gives nodes their desired state. */
export interface DesiredDesk {
  /**
   * The desired state of a node with `labels`, or undefined when it still has tag `known` after `wait_s` seconds, or
   * when `signal` aborted. Throws `too_large`.
   */
  desired(
    labels: Labels,
    known: string | undefined,
    wait_s: number,
    signal: AbortSignal,
  ): Promise<DesiredDocument | undefined>
  /** The programs that the orders of a node with `labels` name. */
  programs(labels: Labels): Promise<ProgramId[]>
}

/**
 * Opens the desk. The database is read once after a change, however many nodes ask, and each distinct document is made
 * once: nodes that are sent the same orders share it.
 */
export function openDesiredDesk(fleet: Pick<Fleet, 'snapshot'>, notices: ChangeNotices): DesiredDesk {
  let newest: { as_of: number; reading: Promise<Reading> } | undefined
  const read = (): Promise<Reading> => {
    if (newest?.as_of === notices.seen) return newest.reading
    const reading = {
      as_of: notices.seen,
      reading: fleet.snapshot().then((snapshot) => ({ snapshot, documentFor: documentsOf(snapshot) })),
    }
    newest = reading
    // a failed read must not be remembered
    reading.reading.catch(() => {
      if (newest === reading) newest = undefined
    })
    return reading.reading
  }
  return {
    desired: async (labels, known, wait_s, signal) => {
      const until = performance.now() + wait_s * 1000
      for (;;) {
        const seen = notices.seen
        const document = (await read()).documentFor(labels)
        if (document.tag !== known) return document
        const left_ms = until - performance.now()
        if (left_ms <= 0 || signal.aborted) return undefined
        await notices.next(seen, left_ms, signal)
      }
    },
    programs: async (labels) => {
      const { heads } = (await read()).snapshot
      return [...new Set(ordersFor(heads, labels).flatMap(({ order }) => usesOf(order).map(programOf)))]
    },
  }
}

/** The database as it was read last, and the documents that are made of it. */
interface Reading {
  readonly snapshot: FleetSnapshot
  readonly documentFor: (labels: Labels) => DesiredDocument
}

function documentsOf(snapshot: FleetSnapshot): (labels: Labels) => DesiredDocument {
  const made = new Map<string, DesiredDocument>()
  return (labels) => {
    const orders = ordersFor(snapshot.heads, labels)
    // one that selects the node no longer must still reach it, like an order
    const policies = (snapshot.policies ?? []).filter(({ selectors }) =>
      selectors.some((selector) => selects(selector, labels)),
    )
    const content = [
      ...orders.map(({ order }) => orderName(order)),
      '/',
      ...policies.map(({ name }) => name),
    ].join(' ')
    const known = made.get(content)
    if (known !== undefined) return known
    const body = Buffer.from(JSON.stringify(composeDesired(snapshot, orders, policies)))
    if (body.length > LIMITS.desired_bytes)
      throw new DomainError(
        'too_large',
        `the desired state has ${body.length} bytes, at most ${LIMITS.desired_bytes}`,
      )
    const document = { tag: createHash('sha256').update(body).digest('hex'), body }
    made.set(content, document)
    return document
  }
}
