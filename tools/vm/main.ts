import { parseArgs } from 'node:util'
import { guestEnvironment, REPOSITORY } from './guest-environment.ts'
import { isKernelSeries, KERNELS, kernelImage } from './kernel-image.ts'
import { runInVm } from './machine.ts'

const HELP = `npm run vm -- [options] -- command [argument ...]: runs a command on another kernel, in a virtual machine
  --kernel S    the kernel's series: ${Object.keys(KERNELS).join(', ')} (default 6.1)
  --fresh       fetches the series' newest kernel again
  --timeout N   seconds after which the machine is ended (default 600)
  --load M      loads a module of that kernel first; may be given again
  --log         the kernel's log afterwards, on standard error
The machine has the files of this one and writes to none of them. The command's exit code is this one's; 125 when the
machine itself failed.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: 'string', default: '6.1' },
    fresh: { type: 'boolean', default: false },
    timeout: { type: 'string', default: '600' },
    load: { type: 'string', multiple: true, default: [] },
    log: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

function usage(why: string): never {
  console.error(`vm: ${why}\n${HELP}`)
  process.exit(2)
}

if (values.help) console.log(HELP)
else {
  if (!isKernelSeries(values.kernel)) usage(`no kernel ${values.kernel}`)
  if (positionals.length === 0) usage('no command')
  const seconds = Number(values.timeout)
  if (!Number.isSafeInteger(seconds) || seconds < 1)
    usage(`--timeout ${values.timeout} is no number of seconds`)
  try {
    const { exitCode, log } = await runInVm({
      kernel: kernelImage(values.kernel, values),
      command: positionals,
      cwd: REPOSITORY,
      env: guestEnvironment(values.kernel),
      load: values.load,
      timeout_ms: seconds * 1000,
      output: process.stdout,
    })
    if (values.log) process.stderr.write(log)
    process.exitCode = exitCode
  } catch (error) {
    console.error(`vm: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 125
  }
}
