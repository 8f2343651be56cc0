import { parseArgs } from 'node:util'
import { Hook } from '../../src/domain/hook.ts'
import { attachmentOf, showProgress, whole } from './options.ts'
import { type SoakReport, soakChain } from './run-chain.ts'

const HELP = `npm run soak:chain -- [options]: changes a chain under traffic, and counts every packet
  --changes N  at least so many changes (default 1000)
  --packets N  at least so many packets (default 10000000)
  --rate N     packets/s asked of the sender (default 400000)
  --seed N     which changes (default 1): the same seed gives the same changes
  --hook H     xdp (default), tc-ingress, tc-egress
  --attach A   to TC by tcx or clsact; by default as an agent does here
  --json       the report as JSON, as the last line
Needs root. Attaches only to an interface of a network namespace that it makes.
Exit code 1 when a good packet was lost, one that must be dropped escaped, or a state map missed a packet.`

function show(report: SoakReport): void {
  const kinds = Object.entries(report.byChange).map(([name, count]) => `${count} ${name}`)
  console.log(`${report.changes} changes (${kinds.join(', ')}), ${report.changeMsMedian} ms in the median`)
  console.log(`${report.packets} packets at ${report.ppsMedian} packets/s in the median`)
  console.log(`lost ${report.lost}, escaped ${report.escaped}, duplicates ${report.duplicates}`)
  console.log(
    `dropped by the veth queue ${report.queueDrops}, by the receiver's socket ${report.socketDrops}`,
  )
  console.log(
    `state maps intact: ${report.stateIntact}, ${report.inMap} of ${report.reached} packets in the map`,
  )
}

const { values } = parseArgs({
  options: {
    changes: { type: 'string', default: '1000' },
    packets: { type: 'string', default: '10000000' },
    rate: { type: 'string', default: '400000' },
    seed: { type: 'string', default: '1' },
    hook: { type: 'string', default: 'xdp' },
    attach: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(HELP)
else {
  const number = (name: 'changes' | 'packets' | 'rate' | 'seed', least: number): number =>
    whole('soak:chain', name, values[name], least)
  const report = await soakChain({
    hook: Hook.parse(values.hook),
    tc: attachmentOf('soak:chain', values.attach),
    changes: number('changes', 1),
    packets: number('packets', 0),
    rate_pps: number('rate', 1),
    seed: number('seed', 0),
    onProgress: (changes, packets) => showProgress(`${changes} changes, ${packets} packets`),
  })
  showProgress('')
  if (values.json) console.log(JSON.stringify(report))
  else show(report)
  if (report.lost > 0 || report.escaped > 0 || report.duplicates > 0 || !report.stateIntact)
    process.exitCode = 1
}
