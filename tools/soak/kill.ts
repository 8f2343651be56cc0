import { parseArgs } from 'node:util'
import { Hook } from '../../src/domain/hook.ts'
import { attachmentOf, showProgress, whole } from './options.ts'
import { type KillReport, soakKill } from './run-kill.ts'

const HELP = `npm run soak:kill -- [options]: kills agents in the middle of a change, under traffic, and looks what is left
  --count N    how many (default 200)
  --rate N     packets/s asked of the sender (default 100000)
  --seed N     which changes, and when (default 1)
  --hook H     xdp (default), tc-ingress, tc-egress
  --attach A   to TC by tcx or clsact; by default as an agent does here
  --json       the report as JSON, as the last line
Needs root. Attaches only to an interface of a network namespace that it makes.
Exit code 1 when a kill left anything but a whole generation, a packet was lost or escaped, or a pin is left over.`

function show(report: KillReport): void {
  console.log(`${report.whole} of ${report.kills} kills left a whole generation on the hook:`)
  console.log(`${report.before} the chain from before the change, ${report.after} the one behind it`)
  for (const fault of report.faults) console.log(`FAILED ${fault}`)
  console.log(`${report.packets} packets: lost ${report.lost}, escaped ${report.escaped}`)
  console.log(
    `dropped by the veth queue ${report.queueDrops}, by the receiver's socket ${report.socketDrops}`,
  )
  console.log(
    `pins left over ${report.pinsLeaked}, missing ${report.pinsMissing}; state maps intact: ${report.stateIntact}`,
  )
  for (const path of report.leaked) console.log(`LEAKED ${path}`)
}

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '200' },
    rate: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    hook: { type: 'string', default: 'xdp' },
    attach: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(HELP)
else {
  const count = whole('soak:kill', 'count', values.count, 1)
  const report = await soakKill({
    hook: Hook.parse(values.hook),
    tc: attachmentOf('soak:kill', values.attach),
    count,
    rate_pps: whole('soak:kill', 'rate', values.rate, 1),
    seed: whole('soak:kill', 'seed', values.seed, 0),
    onProgress: (kills) => showProgress(`${kills} of ${count} kills`),
  })
  showProgress('')
  if (values.json) console.log(JSON.stringify(report))
  else show(report)
  const { kills, whole: good, lost, escaped, pinsLeaked, pinsMissing, stateIntact } = report
  if (good < kills || lost + escaped + pinsLeaked + pinsMissing > 0 || !stateIntact) process.exitCode = 1
}
