import { problemsOf, type RunningChain, type RunningEntry } from '../domain/running.ts'
import type { Context, Io, Outcome } from './io.ts'
import { renderTable } from './table.ts'
import { counted, printable, red } from './terminal.ts'

/** What runs on a node, as it was verified. The exit code is 3 when anything is not as it should be. */
export function showRunning(chains: readonly RunningChain[], { io }: Pick<Context, 'io'>): Outcome {
  const wrong = chains.filter((chain) => problemsOf(chain).length > 0)
  const holds = wrong.length === 0
  const conclusion =
    chains.length === 0
      ? 'nothing runs'
      : holds
        ? `${counted(chains.length, 'chain')}: what is attached is what signed releases make`
        : red(io, `${counted(wrong.length, 'chain')} of ${chains.length}: not as it should be`)
  return {
    json: { holds, chains },
    text: [
      ...(chains.length === 0 ? [] : [renderChains(io, chains)]),
      ...wrong.flatMap(lines),
      conclusion,
    ].join('\n'),
    refused: !holds,
  }
}

const renderChains = (io: Io, chains: readonly RunningChain[]): string =>
  renderTable(
    io,
    ['hook', 'interface', 'position', 'entry', 'release', 'signer', 'log entry', 'tag'],
    chains.flatMap((chain) => {
      const place = [chain.hook, nameOf(chain)]
      if (chain.entries.length === 0) return [[...place, '', '', '', '', '', tagText(chain)]]
      return chain.entries.map((entry) => [...place, ...cellsOf(entry), tagText(chain)])
    }),
  )

const cellsOf = ({
  position,
  function: name,
  instance,
  entry,
  release,
  signers,
  logged,
  problem,
}: RunningEntry) => [
  ...[String(position), `${name}/${instance}/${entry}`, release],
  problem === undefined ? signers.join(', ') : `refused: ${problem.cause ?? problem.code}`,
  logged === undefined ? '' : String(logged.index),
]

const nameOf = ({ interface: name, key }: RunningChain): string => name ?? key

/** Of the chain's programs, whose tag is one for all of its entries. */
function tagText({ programs, problems, programId }: RunningChain): string {
  if (programId === 0) return 'nothing attached'
  if (programs === undefined) return problems.length > 0 ? 'differs' : 'not compared'
  return problems.length === 0 ? `matches: ${programs.map(({ tag }) => tag).join(' ')}` : 'differs'
}

const lines = (chain: RunningChain): string[] =>
  problemsOf(chain).map(
    ({ code, message, cause }) =>
      `${chain.hook} on ${printable(nameOf(chain))}: ${printable(message)} [${code}${cause === undefined ? '' : `: ${cause}`}]`,
  )
