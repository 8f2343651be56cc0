import { workerData } from 'node:worker_threads'
import { runOn } from './test-run.ts'

/** A thread that runs an XDP program once, by a descriptor of this process. */
runOn({ number: workerData as number }, 'xdp', { bytes: Buffer.alloc(60) })
