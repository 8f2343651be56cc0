import { parseArgs } from 'node:util'
import { OPERATOR } from './people.ts'
import { startShowcase } from './showcase.ts'

const HELP = `npm run showcase -- [--port N]: a registry in a temporary directory with a made-up catalog and fleet, to look at;
it ends, and all of it is gone, with Ctrl-C. Default port 7071.`

const { values } = parseArgs({
  options: { port: { type: 'string', default: '7071' }, help: { type: 'boolean' } },
})
if (values.help === true) {
  console.log(HELP)
  process.exit()
}
const stopped = new Promise<void>((stop) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop())
})
const showcase = await startShowcase(Number(values.port))
console.log(`Hookline with a made-up catalog on ${showcase.url}
  admin token     ${showcase.registry.admin}
  a publisher’s   ${showcase.people.get('ines')}
  an operator’s   ${showcase.people.get(OPERATOR)}`)
await stopped
await showcase.close()
