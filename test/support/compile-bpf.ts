import { compileBpf as compile } from '../../tools/compile-bpf.ts'

/** Compiles BPF C for a test; see tools/compile-bpf.ts. */
export const compileBpf = compile
