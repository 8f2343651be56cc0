import type { Hook, VerdictCounts } from '../../../src/domain/hook.ts'
import type { Observed, ObservedChain } from '../../../src/domain/node.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}`

/** An entry of a report; `over` overrides its fields. */
export const sampleEntry = (
  position: number,
  packets: VerdictCounts,
  over: Partial<ObservedChain['entries'][number]> = {},
): ObservedChain['entries'][number] => ({
  ...{ position, function: 'edge', instance: `part-${position}`, release: 'acme/limit@1.0.0' },
  ...{ entry: 'xdp_limit', object: DIGEST, proceed: ['pass'], form: 'fused', packets, total: packets },
  ...over,
})

/** A chain of a report. */
export const sampleChain = (
  on: string,
  hook: Hook,
  entries: ObservedChain['entries'],
  over: Partial<ObservedChain> = {},
): ObservedChain => ({
  ...{ netns: '4026531840', interface: on, ifindex: 2, hook, mode: hook === 'xdp' ? 'native' : 'tcx' },
  ...{ functions: [{ name: 'edge', revision: 3 }], generation: 7, linkId: 11, programId: 420 },
  ...{ programTag: 'f0e1d2c3b4a59687', since: '2026-05-01T12:00:00.000Z', entries },
  ...over,
})

/** A report; by default nothing runs. */
export const sampleReport = (over: Partial<Observed> = {}): Observed => ({
  ...{ at: '2026-05-01T12:30:00.000Z', agent: '0.1.0', functions: [], chains: [], errors: [] },
  ...over,
})

/** An error with the log of a verifier. */
export const refusedByVerifier = (lines = 40): Observed['errors'][number] => ({
  code: 'verifier_refused',
  message: 'the kernel refused the program xdp_limit of acme/limit@1.1.0',
  remedy: 'see the last lines of the log; ask the publisher',
  log: [
    ...Array.from({ length: lines }, (_, at) => `${at}: (61) r${at % 9} = *(u32 *)(r1 +${at * 4})`),
    'invalid access to packet, off=14 size=4, R2(id=0,off=14,r=14)',
    'R2 offset is outside of the packet',
    'processed 812 insns (limit 1000000) max_states_per_insn 1 total_states 41 peak_states 41 mark_read 7',
  ].join('\n'),
})
