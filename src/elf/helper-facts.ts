/**
 * Helpers that the kernel lets only programs of a GPL-compatible licence call (`gpl_only` of struct bpf_func_proto), of those
 * that programs on network hooks can call at all.
 */
const GPL_ONLY: ReadonlySet<number> = new Set([
  ...[4, 6, 22, 25, 35, 45, 55, 69, 100, 110, 112, 113, 114, 115, 158, 163, 165],
  ...[169, 170, 171, 172, 175, 176, 177, 191, 204, 205, 206, 207],
])

/** Whether a helper is for GPL-compatible programs only. */
export const isGplOnly = (helper: number): boolean => GPL_ONLY.has(helper)

/** The last helper of each kernel that added some: helpers are numbered in the order in which they came (linux/bpf.h). */
const LAST_HELPERS = [
  [3, 3019],
  [11, 4001],
  [16, 4002],
  [22, 4003],
  [24, 4004],
  [26, 4005],
  [30, 4006],
  [36, 4008],
  [41, 4009],
  [44, 4010],
  [45, 4011],
  [47, 4012],
  [50, 4013],
  [53, 4014],
  [57, 4015],
  [59, 4016],
  [64, 4017],
  [80, 4018],
  [83, 4019],
  [90, 4020],
  [92, 5000],
  [98, 5001],
  [108, 5002],
  [110, 5003],
  [115, 5005],
  [119, 5006],
  [124, 5007],
  [135, 5008],
  [141, 5009],
  [155, 5010],
  [162, 5011],
  [163, 5012],
  [165, 5013],
  [168, 5014],
  [175, 5015],
  [179, 5016],
  [185, 5017],
  [193, 5018],
  [203, 5019],
  [207, 6000],
  [209, 6001],
  [211, 6002],
] as const

/** The kernel that a helper came with, as a number: 5015 is 5.15. Undefined for one that has no number yet. */
export const kernelOfHelper = (helper: number): number | undefined =>
  LAST_HELPERS.find(([last]) => helper <= last)?.[1]
