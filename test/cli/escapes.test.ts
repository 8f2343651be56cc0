import { afterEach, expect, test } from 'vitest'
import { runCli } from '../../src/cli/run.ts'
import { bold, red, shown } from '../../src/cli/terminal.ts'
import { HttpDouble, json } from '../client/double.ts'
import { memoryIo } from './hookline.ts'

const notHere = (): Promise<never> => Promise.reject(new Error('not here'))
const SERVICES = {
  ...{ serve: notHere, witness: notHere, agent: notHere, doctor: notHere, verifyRunning: notHere },
}
/** Sets the title of a terminal's window, and clears its screen. */
const ESCAPES = '\u001b]0;title\u0007\u001b[2J'
const SPELT = '\\u{1b}]0;title\\u{7}\\u{1b}[2J'
const ID = '0198c0de-0000-7000-8000-000000000000'
const AT = '2026-05-01T12:00:00.000Z'

let double: HttpDouble | undefined
afterEach(async () => {
  await double?.close()
})

const answers: [string, string[], object][] = [
  [
    'namespace verify',
    ['namespace', 'verify', 'acme'],
    { text: `x${ESCAPES}`, dns: `d${ESCAPES}`, file: `f${ESCAPES}` },
  ],
  [
    'trusted-publisher add',
    ['trusted-publisher', 'add', 'acme/limit', '--repository', 'acme/limit', '--workflow', 'release.yml'],
    {
      ...{ id: ID, program: 'acme/limit', provider: 'github', issuer: 'x', pinned: false, createdAt: AT },
      ...{ repository: `r${ESCAPES}`, workflow: `w${ESCAPES}` },
    },
  ],
  [
    'webhook redeliver',
    ['webhook', 'redeliver', ID, ID],
    { id: ID, event: `e${ESCAPES}`, createdAt: AT, attempts: 0 },
  ],
]
test.each(answers)('what a registry answers to %s moves no cursor', async (_, args, body) => {
  double = await HttpDouble.start((_request, response) => json(response, 200, body))
  const io = memoryIo()
  expect(await runCli([...args, '--url', double.url, '--token', 'hkl_x'], io, SERVICES, '0')).toBe(0)
  expect(io.out).toContain(SPELT)
  expect(io.out + io.err).not.toContain('\u001b')
})

test('nor does a refusal, with all that is known of where it came from', async () => {
  double = await HttpDouble.start((_, response) =>
    json(response, 404, { code: 'not_found', detail: `gone${ESCAPES}` }),
  )
  const io = memoryIo({ env: { HOOKLINE_DEBUG: '1' } })
  expect(await runCli(['show', 'acme/limit@1.0.0', '--url', double.url], io, SERVICES, '0')).toBe(4)
  expect(io.err.split(SPELT).length).toBeGreaterThan(2) // in the message, and in the stack
  expect(io.err).not.toContain('\u001b')
})

test('what a command says keeps its lines, its tabs and its own marks, and nothing else', () => {
  const io = memoryIo({ columns: 80 })
  expect(shown(`${bold(io, 'a')}\t${red(io, `b${ESCAPES}`)}\nc\r\nd`)).toBe(
    `\u001b[1ma\u001b[22m\t\u001b[31mb${SPELT}\u001b[39m\nc\nd`,
  )
})
