import type { LogEntry } from '../domain/log-entry.ts'
import { releaseRef } from '../domain/names.ts'
import { signerText } from '../domain/signer.ts'
import type { OpaqueEntry } from './entry.ts'

/** When an entry was made, in POSIX seconds. */
export const entryTime = (entry: LogEntry | OpaqueEntry): number =>
  entry.kind === 'opaque' ? entry.head.at : entry.at

/** What an entry says, as people say it. Names in it are as they stand in the log: whoever shows them makes them safe. */
export function entryText(entry: LogEntry | OpaqueEntry): string {
  switch (entry.kind) {
    case 'publish':
      return `${refOf(entry)} published, signed by ${entry.signers.map(signerText).join(', ')}`
    case 'cosign':
      return `${refOf(entry)} signed by ${signerText(entry.signer)} as well`
    case 'yank':
      return `${refOf(entry)} yanked`
    case 'unyank':
      return `${refOf(entry)} no longer yanked`
    case 'delete':
      return `${refOf(entry)} deleted`
    case 'revoke': {
      const { revoked, reason } = entry
      return `${revoked.kind === 'release' ? refOf(revoked) : `file ${revoked.digest}`} revoked: ${reason}`
    }
    case 'signer':
      return `${signerText(entry.signer)} may ${again(entry.change)} sign for ${entry.namespace}`
    case 'owner':
      return `${entry.account} ${entry.change === 'added' ? 'owns' : 'no longer owns'} ${entry.namespace}`
    case 'operator':
      return `${entry.operator} may ${again(entry.change)} sign orders`
    case 'epoch':
      return `epoch ${entry.epoch} began, by recovery statement ${entry.recovery}`
    case 'private':
      return 'something about a private program'
    case 'opaque':
      return `an entry of kind "${entry.head.kind}", which this version does not know`
  }
}

const refOf = ({ program, version }: { program: string; version: string }): string =>
  releaseRef(program, version)
const again = (change: 'added' | 'removed'): string => (change === 'added' ? 'now' : 'no longer')
