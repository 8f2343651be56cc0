// Runs `serve` as a process of its own, to be killed: node run-serve.ts <data directory>
import { runServe } from '../../src/bin/serve.ts'

const [dataDir = ''] = process.argv.slice(2)
await runServe({ dataDir, port: 0, json: true })
