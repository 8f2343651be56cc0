import { basename } from 'node:path'
import { LIMITS } from '../domain/limits.ts'
import { missingPermissions, PERMISSIONS, placeText } from '../domain/permission.ts'
import { describeObject, type ObjectReport, type ProgramReport } from '../elf/describe.ts'
import type { Context, Io, Outcome } from './io.ts'
import { readLocalFile } from './local-file.ts'
import { renderFields, renderTable } from './table.ts'
import { bold, bytesText, counted } from './terminal.ts'

const INDENT = '  '

/** Shows what a BPF object holds, without a kernel. Throws `file_unreadable` and what the object reader finds. */
export async function inspect({ object }: { object: string }, { io }: Context): Promise<Outcome> {
  const report = describeObject(await readLocalFile(object, LIMITS.file_bytes, 'object'), basename(object))
  const within = io.columns === undefined ? io : { ...io, columns: io.columns - INDENT.length }
  const sections: [string, string | undefined][] = [
    ['programs', renderPrograms(within, report.programs)],
    ['permissions', renderPermissions(within, report.programs)],
    ['cannot be chained', renderObstacles(report.programs)],
    ['maps', renderMaps(within, report)],
    ['configuration', renderVariables(within, report)],
  ]
  const text = sections.flatMap(([title, table]) =>
    table === undefined ? [] : ['', bold(io, title), table.replace(/^/gm, INDENT)],
  )
  return { json: report, text: [renderSummary(report), ...text].join('\n') }
}

function renderSummary(report: ObjectReport): string {
  const gpl = report.gplCompatible ? 'GPL-compatible' : 'not GPL-compatible: no GPL-only helpers'
  return renderFields([
    ['object', report.name],
    ['size', bytesText(report.bytes)],
    ['digest', report.digest],
    ['license', report.license === null ? 'none' : `${report.license} (${gpl})`],
    ['BTF', report.btf === null ? 'none' : `${report.btf.types} types, ${bytesText(report.btf.bytes)}`],
    ['CO-RE relocations', String(report.coreRelocations)],
    ['kernel symbols', report.kernelSymbols.join(', ') || undefined],
  ])
}

function renderPrograms(io: Io, programs: readonly ProgramReport[]): string {
  const head = ['entry', 'section', 'hook', 'instructions', 'chains', 'maps', 'helpers', 'notes']
  const rows = programs.map((program) => [
    program.name,
    program.section,
    program.hook ?? 'unknown',
    String(program.instructions),
    program.chains ? 'yes' : 'no',
    program.maps.join(' '),
    program.helpers.join(' '),
    notesOf(program),
  ])
  return renderTable(io, head, rows)
}

/** What decides how a program can be part of a chain. */
const notesOf = ({ frags, tailCalls, callbacks, kfuncs, subprograms }: ProgramReport): string =>
  [
    ...(frags ? ['multi-buffer'] : []),
    ...(tailCalls ? ['tail calls'] : []),
    ...(callbacks ? ['callbacks'] : []),
    ...(kfuncs.length > 0 ? [`kernel functions: ${kfuncs.join(' ')}`] : []),
    ...(subprograms.length > 0 ? [counted(subprograms.length, 'subprogram')] : []),
  ].join(', ')

/** Not a table: a reason is to be read whole, however narrow the terminal. */
function renderObstacles(programs: readonly ProgramReport[]): string | undefined {
  const reasons = programs.flatMap(({ name, obstacles }) =>
    obstacles.map(({ message }) => [name, message] as const),
  )
  return reasons.length === 0 ? undefined : renderFields(reasons)
}

/** What each program can do, in plain words, and where it does so first; the JSON form has all places. */
function renderPermissions(io: Io, programs: readonly ProgramReport[]): string {
  const rows = programs.flatMap(({ name, permissions }) =>
    missingPermissions([], permissions).map((finding) => {
      const { risk, title } = PERMISSIONS[finding.permission]
      const others = permissions.filter(({ permission }) => permission === finding.permission).length - 1
      const more = others > 0 ? `, and ${others} more` : ''
      return [name, finding.permission, risk, title, `${placeText(finding)}${more}`]
    }),
  )
  if (rows.length === 0) return 'none: what it does is let packets pass'
  return renderTable(io, ['entry', 'permission', 'risk', 'it can', 'where first'], rows)
}

function renderMaps(io: Io, { maps }: ObjectReport): string | undefined {
  const declared = maps.filter(({ kind }) => kind === 'map')
  if (declared.length === 0) return undefined
  const filled = declared.some(({ programs }) => programs.length > 0)
  const rows = declared.map(({ name, typeName, keySize, valueSize, maxEntries, programs }) => [
    name,
    typeName,
    String(keySize),
    String(valueSize),
    String(maxEntries),
    ...(filled ? [programs.map(({ slot, program }) => `${slot}: ${program}`).join(', ')] : []),
  ])
  const head = ['map', 'type', 'key bytes', 'value bytes', 'entries', ...(filled ? ['programs'] : [])]
  return renderTable(io, head, rows)
}

function renderVariables(io: Io, { variables }: ObjectReport): string | undefined {
  const rows = variables
    .filter(({ configurable }) => configurable)
    .map(({ name, type, value }) => [name, type ?? 'unknown', String(value)])
  return rows.length === 0 ? undefined : renderTable(io, ['variable', 'type', 'default'], rows)
}
