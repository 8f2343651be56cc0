import { tcxSupported } from '../../src/kernel/tcx-hook.ts'

/** A whole number of the command line; ends the process with what is wrong. */
export function whole(command: string, name: string, text: string, least: number): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= least) return number
  console.error(`${command}: --${name} ${text} is no whole number from ${least}`)
  process.exit(2)
}

/** How TC is attached: as the command line says, or as an agent would here; ends the process with what is wrong. */
export function attachmentOf(command: string, text: string | undefined): 'tcx' | 'clsact' {
  if (text === undefined) return tcxSupported() ? 'tcx' : 'clsact'
  if (text === 'tcx' || text === 'clsact') return text
  console.error(`${command}: --attach ${text} is neither tcx nor clsact`)
  process.exit(2)
}

/** Shows progress on a terminal, on one line that is written over. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY === true) process.stderr.write(`\r\x1b[K${text}`)
}
