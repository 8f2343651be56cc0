import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import { type ProgramId, parseRef, Version } from '../domain/names.ts'
import type { ReportRequest, ReportView, Visibility } from '../domain/release.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { timeText } from './terminal.ts'

interface RefFlags extends RegistryFlags {
  /** `namespace/name`, or `namespace/name@version`. */
  readonly ref: string
}

/** A program, or one exact release. Throws `invalid_name`. */
function subjectOf(ref: string): { program: ProgramId; version?: string } {
  const { program, rest } = parseRef(ref)
  if (rest === '') return { program }
  if (!Version.safeParse(rest).success)
    throw new DomainError('invalid_name', `"${rest}" is no exact version, such as 1.4.0`)
  return { program, version: rest }
}

/** One exact release. Throws `invalid_name`. */
function releaseOf(ref: string): { program: ProgramId; version: string } {
  const { program, version } = subjectOf(ref)
  if (version === undefined) throw new DomainError('invalid_name', `name a release: ${program}@<version>`)
  return { program, version }
}

/** Yanks a release, or, without a message, offers it again. */
export async function yank(
  { ref, message, ...flags }: RefFlags & { message: string | undefined },
  { io }: Context,
): Promise<Outcome> {
  const { program, version } = releaseOf(ref)
  await (await connectWithToken(io, flags)).yank(program, version, message)
  const text =
    message === undefined
      ? `${ref} is offered again`
      : `${ref} is yanked: ranges take another release where one fits; its bytes stay`
  return { json: { ref, yanked: message ?? null }, text }
}

/** Deprecates or quarantines a program or a release, or, without a message, takes that back. */
export async function note(
  { ref, message, ...flags }: RefFlags & { message: string | undefined },
  what: 'deprecation' | 'quarantine',
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).note(subjectOf(ref), what, message)
  const state = what === 'deprecation' ? 'deprecated' : 'quarantined'
  return {
    json: { ref, [state]: message ?? null },
    text: `${ref} is ${message === undefined ? 'no longer ' : ''}${state}`,
  }
}

/** The message of a note, undefined to take the note back. Throws `usage` for both or neither. */
export function requireMessage(message: string | undefined, undo: boolean): string | undefined {
  if ((message === undefined) !== undo) throw new DomainError('usage', 'give --message <text>, or --undo')
  return message
}

/** Deletes a release for good. Throws `release_too_old`, `release_in_use`. */
export async function deleteRelease(
  { ref, takedown, ...flags }: RefFlags & { takedown: boolean },
  { io }: Context,
): Promise<Outcome> {
  const { program, version } = releaseOf(ref)
  await (await connectWithToken(io, flags)).deleteRelease(program, version, takedown)
  return { json: { ref }, text: `${ref} is deleted; its version cannot be used again` }
}

/** Points a channel to a release. */
export async function setChannel(
  { ref, channel, ...flags }: RefFlags & { channel: string },
  { io }: Context,
): Promise<Outcome> {
  const { program, version } = releaseOf(ref)
  await (await connectWithToken(io, flags)).setChannel(program, channel, version)
  return { json: { program, channel, version }, text: `${program}@${channel} is ${version}` }
}

/** Removes a channel. Throws `not_found`. */
export async function removeChannel(
  { ref, channel, ...flags }: RefFlags & { channel: string },
  { io }: Context,
): Promise<Outcome> {
  const { program } = subjectOf(ref)
  await (await connectWithToken(io, flags)).removeChannel(program, channel)
  return { json: { program, channel }, text: `${program} has no channel "${channel}" any more` }
}

/** Reports a program or a release to the administrators. */
export async function report(
  { ref, reason, text, ...flags }: RefFlags & Pick<ReportRequest, 'reason' | 'text'>,
  { io }: Context,
): Promise<Outcome> {
  const made = await (await connectWithToken(io, flags)).report({ ...subjectOf(ref), reason, text })
  return { json: made, text: `reported as ${made.id}` }
}

/** Lists reports, for administrators. */
export async function listReports(
  { resolved, ...flags }: RegistryFlags & { resolved: boolean },
  { io }: Context,
): Promise<Outcome> {
  const client: Pick<RegistryClient, 'reports'> = await connectWithToken(io, flags)
  const reports = await client.reports(resolved ? 'resolved' : 'open')
  const rows = reports.map((one: ReportView) => [
    ...[one.id, one.version === undefined ? one.program : `${one.program}@${one.version}`, one.reason],
    ...[one.account, timeText(one.reportedAt), one.resolution ?? one.text],
  ])
  const head = ['id', 'about', 'reason', 'by', 'at', resolved ? 'resolution' : 'text']
  return { json: { reports }, text: rows.length === 0 ? 'no reports' : renderTable(io, head, rows) }
}

/** Closes a report. Throws `not_found`. */
export async function resolveReport(
  { id, message, ...flags }: RegistryFlags & { id: string; message: string },
  { io }: Context,
): Promise<Outcome> {
  const closed = await (await connectWithToken(io, flags)).resolveReport(id, message)
  return { json: closed, text: `report ${id} is closed` }
}

/** Says who may read a program. Throws `not_found`. */
export async function setVisibility(
  { name, who, ...flags }: RegistryFlags & { name: ProgramId; who: Visibility },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).setVisibility(name, who)
  return { json: { program: name, visibility: who }, text: `${name} is ${who}` }
}
