import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileBpf } from '../../tools/compile-bpf.ts'

const SOURCES = fileURLToPath(new URL('sources', import.meta.url))
/** Instruction set 3 (kernel 5.12), as the starter programs are built. */
const FLAGS = ['-mcpu=v3', '-Wextra', '-Wno-unused-parameter', `-I${SOURCES}`]

/** What a program does; each is a header of bench/chain/sources. */
export type Kind = 'tiny' | 'opaque' | 'counter' | 'limiter' | 'balancer'

const made = new Map<string, Buffer>()

function once(key: string, make: () => Buffer): Buffer {
  const bytes = made.get(key) ?? make()
  made.set(key, bytes)
  return bytes
}

/** A program of a kind, by itself (entry `plain`) or as a member of a chain by agreement (entry `cooperative`). */
export const compileProgram = (kind: Kind, shape: 'plain' | 'cooperative'): Buffer =>
  once(`${shape} ${kind}`, () =>
    compileBpf(join(SOURCES, `${shape}.bpf.c`), { defines: { BODY: `"${kind}.h"` }, flags: FLAGS }),
  )

/** A dispatcher (entry `dispatcher`) with these programs compiled in. */
export const compileDispatcher = (kinds: readonly Kind[]): Buffer =>
  once(`dispatcher ${kinds.join()}`, () => compileBpf(dispatcherText(kinds), { flags: FLAGS }))

const dispatcherText = (kinds: readonly Kind[]): string =>
  [
    '#include "program.h"',
    `#define MEMBERS ${kinds.length}`,
    '#include "dispatcher.h"',
    ...kinds.flatMap((kind, at) => [
      `#define ID ${at}`,
      `#include "${kind}.h"`,
      '#undef ID',
      `MEMBER(${at})`,
    ]),
    'SEC("xdp") int dispatcher(struct xdp_md *ctx) {',
    'int verdict;',
    ...kinds.map((_, at) => `CALL(${at})`),
    'return verdict;',
    '}\n',
  ].join('\n')
