import type { Actor } from '../domain/account.ts'
import type { ProgramId } from '../domain/names.ts'
import type { ReportRequest, ReportView } from '../domain/release.ts'
import type { Readable } from './catalog.ts'

/** A program, or one release of it. */
export interface Subject {
  readonly program: ProgramId
  readonly version?: string | undefined
}

/**
 * What becomes of releases after they are published. Each change is one transaction together with its audit record, and
 * with a step of each function that it makes resolve otherwise. All throw `not_found` and `version_not_found`.
 */
export interface Lifecycle {
  /** Leaves a release out where another one fits, or, without a message, no longer. */
  yank(program: ProgramId, version: string, message: string | undefined, by: Actor): Promise<void>
  /** Says that there is something better, or, without a message, no longer. */
  deprecate(subject: Subject, message: string | undefined, by: Actor): Promise<void>
  /** Takes something away from everybody but its namespace, or, without a message, gives it back. */
  quarantine(subject: Subject, message: string | undefined, by: Actor): Promise<void>
  /** Points a channel to a release. Throws `too_many`. */
  setChannel(program: ProgramId, channel: string, version: string, by: Actor): Promise<void>
  removeChannel(program: ProgramId, channel: string, by: Actor): Promise<void>
  /**
   * Deletes a release for good; its version stays taken. `notBefore` is when it may have been published at the earliest,
   * undefined for any time. Throws `release_too_old`, `release_in_use` also while a channel points to it.
   */
  delete(program: ProgramId, version: string, notBefore: Date | undefined, by: Actor): Promise<void>
  /** Keeps a report of what `readable` lets one see. Throws `too_many`. */
  report(request: ReportRequest, account: string, readable: Readable, by: Actor): Promise<ReportView>
  /** Reports, the newest first: the open ones, or those with a resolution. */
  reports(open: boolean, limit: number): Promise<ReportView[]>
  /** Closes a report. */
  resolveReport(id: string, resolution: string, by: Actor): Promise<ReportView>
}
