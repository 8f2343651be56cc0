import { describe, expect, test } from 'vitest'
import { askInterfaces, type Prober, runProbes } from '../../src/kernel/probe-runner.ts'

/** A process that answers `ok` to each check, but first runs `script`, which knows the `order` and the `check`. */
const prober = (script: string): Prober => [
  process.execPath,
  '-e',
  `const order = JSON.parse(process.argv[1])
   const say = (value) => require('node:fs').writeSync(1, JSON.stringify(value) + '\\n')
   for (const check of order.checks ?? ['interfaces']) {
     ${script}
     say({ check, result: 'ok', detail: order.bpffs + ' ' + order.checks.length })
   }`,
]
const CHECKS = ['privileges', 'tcx', 'jit'] as const
/** Long enough for a process to start on a busy machine; one test waits for it. */
const LIMIT_MS = 4000
const run = (script: string) => runProbes(prober(script), CHECKS, '/bpf', LIMIT_MS)
const ok = (check: string, of: number) => ({ check, result: 'ok', detail: `/bpf ${of}` })

describe('probes', () => {
  test('run in one process when all goes well', async () =>
    expect(await run('')).toEqual([ok('privileges', 3), ok('tcx', 3), ok('jit', 3)]))

  test.each([
    [
      'dies of a fault',
      "if (check === 'tcx') process.kill(process.pid, 'SIGSEGV')",
      'its process ended with SIGSEGV',
    ],
    ['ends by an error', "if (check === 'tcx') process.exit(3)", 'its process ended with code 3'],
    ['ends without an answer', "if (check === 'tcx') process.exit(0)", 'its process gave no answer'],
    [
      'hangs',
      "if (check === 'tcx') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
      `no answer within ${LIMIT_MS} ms`,
    ],
    [
      'answers nonsense',
      "if (check === 'tcx') say({ check, result: 'perhaps' })",
      'its process answered nonsense',
    ],
    [
      'answers for another',
      "if (check === 'tcx') say({ check: 'jit', result: 'ok', detail: '' })",
      'its process answered nonsense',
    ],
    ['prints what is no JSON', "if (check === 'tcx') console.log('{')", 'its process answered nonsense'],
  ])('go on in another process after one that %s', async (_, script, detail) =>
    expect(await run(script)).toEqual([
      ok('privileges', 3),
      { check: 'tcx', result: 'unknown', detail },
      ok('jit', 1),
    ]),
  )

  test('are all unknown where no process can be started', async () => {
    const found = await runProbes(['/nonexistent/prober'], CHECKS, '/bpf', LIMIT_MS)
    expect(found.map(({ check, result }) => [check, result])).toEqual(CHECKS.map((name) => [name, 'unknown']))
    expect(found[0]?.detail).toContain('ENOENT')
  })

  test('have their details cut: a verifier’s log may be long', async () => {
    const [first] = await run("say({ check, result: 'missing', detail: 'x'.repeat(9999) }); continue")
    expect(first?.detail).toBe('x'.repeat(400))
  })
})

describe('the interfaces of a host', () => {
  const answering = (answer: unknown): Prober => prober(`say(${JSON.stringify(answer)}); process.exit()`)
  const eth0 = { name: 'eth0', ifindex: 2, driver: '', mtu: 1500, nativeXdp: 'no', defaultRoute: false }

  test('are what its process answers', async () =>
    expect(await askInterfaces(answering({ interfaces: [eth0] }), 'edge', LIMIT_MS)).toEqual([eth0]))

  test.each([
    ['not_found', answering({ refused: 'not_found', message: 'no such namespace' }), /no such namespace/],
    ['kernel_refused', answering({ interfaces: [{ ...eth0, mtu: 'much' }] }), /answered nonsense/],
    ['kernel_refused', prober('process.exit(1)'), /ended with code 1/],
  ] as const)('are refused by %s', async (code, process_, message) =>
    expect(askInterfaces(process_, undefined, LIMIT_MS)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    }),
  )
})
