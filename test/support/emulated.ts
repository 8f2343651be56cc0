/** An emulated processor is ten to thirty times slower. */
const SLOWER = 30

/** A test's time limit in milliseconds where tools/vm says that the machine is emulated (HOOKLINE_EMULATED); else as it is. */
export const emulated = (timeout_ms: number): number =>
  process.env['HOOKLINE_EMULATED'] === undefined ? timeout_ms : timeout_ms * SLOWER
