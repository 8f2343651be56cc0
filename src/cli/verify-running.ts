import { droppedRelease, isDropEntry } from '../agent/drop-entry.ts'
import {
  type AttachedProgram,
  allProblemsOf,
  problemsOf,
  type Running,
  type RunningChain,
  type RunningEntry,
  type RunningFunction,
  type RunningProblem,
  type VerifiedNode,
} from '../domain/running.ts'
import type { Context, Io, Outcome } from './io.ts'
import { renderTable } from './table.ts'
import { counted, printable, red, timeText } from './terminal.ts'

/** What runs on a node, as it was verified. The exit code is 3 when anything is not as it should be. */
export function showRunning(running: VerifiedNode, { io }: Pick<Context, 'io'>): Outcome {
  const { chains, functions, others } = running
  const holds = allProblemsOf(running).length === 0
  return {
    json: { holds, ...running },
    text: [
      `${printable(running.node)} (Linux ${printable(running.kernel)}) by ${printable(running.policy)}, ${timeText(running.at)}`,
      ...(chains.length === 0 ? [] : [renderChains(io, chains)]),
      ...linesOfSigners(chains),
      ...chains.flatMap(linesOfDrops),
      ...others.map(lineOfOther),
      ...chains.flatMap(linesOfChain),
      ...functions.flatMap(linesOfFunction),
      conclusion(io, running),
    ].join('\n'),
    refused: !holds,
  }
}

/** What it comes to; where nothing runs, whether anything was ordered. */
function conclusion(io: Io, { chains, functions }: Running): string {
  const wrong = {
    chain: chains.filter((chain) => problemsOf(chain).length > 0).length,
    function: functions.filter(({ problem }) => problem !== undefined).length,
  }
  const found = Object.entries(wrong).flatMap(([what, count]) => (count === 0 ? [] : [counted(count, what)]))
  if (found.length > 0) return red(io, `${found.join(' and ')}: not as it should be`)
  if (chains.length > 0)
    return `${counted(chains.length, 'chain')}: what is attached is what signed releases make, as ordered`
  return functions.length === 0
    ? 'nothing runs, and this node holds no order by which anything would'
    : `nothing runs, and by ${counted(functions.length, 'order')} nothing is to run here now`
}

const renderChains = (io: Io, chains: readonly RunningChain[]): string =>
  renderTable(
    io,
    ['hook', 'interface', 'position', 'entry', 'release', 'signer', 'log entry', 'tag'],
    chains.flatMap((chain) => {
      const place = [chain.hook, nameOf(chain)]
      if (chain.entries.length === 0) return [[...place, '', '', '', '', '', tagText(chain)]]
      return chain.entries.map((entry, at) => [...place, ...cellsOf(entry), at === 0 ? tagText(chain) : ''])
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
  problem === undefined ? signers.map(shortSigner).join(', ') : `refused: ${problem.cause ?? problem.code}`,
  logged === undefined ? '' : String(logged.index),
]

/** A fingerprint is long, and whole below the table. */
const shortSigner = (signer: string): string =>
  signer.startsWith('sha256:') ? `${signer.slice(0, SHORT_CHARS)}…` : signer
const SHORT_CHARS = 'sha256:'.length + 12

const linesOfSigners = (chains: readonly RunningChain[]): string[] =>
  [...new Set(chains.flatMap(({ entries }) => entries.flatMap(({ signers }) => signers)))].map(
    (signer) => `signed by ${printable(signer)}`,
  )

/** Entries that stand in the place of something revoked: nothing gets past them. */
const linesOfDrops = (chain: RunningChain): string[] =>
  chain.entries
    .filter(({ release, problem }) => problem === undefined && isDropEntry({ release }))
    .map(
      ({ function: name, instance, release }) =>
        `${chain.hook} on ${printable(nameOf(chain))}: ${name}/${instance} drops every packet: ${printable(droppedRelease({ release }))} is revoked`,
    )

const nameOf = ({ interface: name, key }: RunningChain): string => name ?? key

/** Of the chain's programs, whose tag is one for all of its entries. */
function tagText({ programs, problems, programId }: RunningChain): string {
  if (programId === 0) return 'nothing attached'
  if (programs === undefined) return problems.length > 0 ? 'differs' : 'not compared'
  return problems.length === 0 ? `matches: ${programs.map(({ tag }) => tag).join(' ')}` : 'differs'
}

const linesOfChain = (chain: RunningChain): string[] =>
  problemsOf(chain).map((problem) => lineOf(`${chain.hook} on ${nameOf(chain)}`, problem))

const linesOfFunction = ({ name, revision, problem }: RunningFunction): string[] =>
  problem === undefined ? [] : [lineOf(`function ${name} r${revision}`, problem)]

const lineOf = (where: string, { code, message, cause }: RunningProblem): string =>
  `${printable(where)}: ${printable(message)} [${code}${cause === undefined ? '' : `: ${cause}`}]`

const lineOfOther = ({ hook, interface: where, programId, name, tag }: AttachedProgram): string =>
  `${hook} on ${printable(where)}: also attached, by others: program ${programId} ${printable(name)} (tag ${tag})`
