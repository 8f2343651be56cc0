import { type ChildProcess, fork } from 'node:child_process'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { mapInfo } from './bpf-info.ts'
import { programById } from './bpf-program.ts'
import { adopt, type Loader } from './loader.ts'
import type { LoaderAnswer, LoaderRequest } from './loader-protocol.ts'

type Ask = Exclude<LoaderRequest, { kind: 'taken' }>
type Answered = Exclude<LoaderAnswer, { kind: 'failed' }>

interface Waiting {
  readonly resolve: (answer: Answered) => void
  readonly reject: (error: DomainError) => void
}

/** A running loading process and who waits for its answers. */
interface Running {
  readonly child: ChildProcess
  readonly waiting: Map<number, Waiting>
}

/**
 * Loads in a child process, started when it is needed and ended when it was idle for a while. `module` is the file whose
 * import serves ({@link serveLoader}). A child that dies, or has no answer after `load_ms` and is killed, fails what it was
 * asked, and the next question starts another.
 */
export function childLoader(module: URL, load_ms: number = LIMITS.load_ms): Loader {
  let running: Running | undefined
  let idle: NodeJS.Timeout | undefined
  let numbers = 0

  const end = (): void => {
    clearTimeout(idle)
    running?.child.disconnect()
    running = undefined
  }
  /** Asks, opens what the answer names by `take`, and tells the child that it may let go. */
  async function ask<T>(request: (number: number) => Ask, take: (answer: Answered) => T): Promise<T> {
    clearTimeout(idle)
    const gone = (child: ChildProcess): void => {
      if (running?.child === child) running = undefined
    }
    running ??= start(module, gone)
    const { child, waiting } = running
    const number = ++numbers
    const late = setTimeout(() => {
      gone(child)
      const why = `the loading process did not answer within ${load_ms} ms`
      waiting.get(number)?.reject(new DomainError('loader_failed', why))
      waiting.delete(number)
      child.kill('SIGKILL')
    }, load_ms)
    try {
      const answer = await question(child, waiting, request(number))
      try {
        return take(answer)
      } finally {
        send(child, { kind: 'taken', number })
      }
    } finally {
      clearTimeout(late)
      clearTimeout(idle) // several that fail together begin to wait only once
      if (running?.waiting.size === 0) idle = setTimeout(end, LIMITS.loader_idle_ms).unref()
    }
  }
  return {
    original: ({ reuse, ...request }) => {
      const ids = new Map([...reuse].map(([name, number]) => [name, mapInfo({ number }).id]))
      return ask(
        (number) => ({ kind: 'original', number, request: { ...request, reuse: ids } }),
        (answer) => {
          if (answer.kind !== 'original') throw misunderstood()
          const { original } = answer
          return adopt({ ...original, code: Buffer.from(original.code) })
        },
      )
    },
    program: (image) =>
      ask(
        (number) => ({ kind: 'program', number, image }),
        (answer) => {
          if (answer.kind !== 'program') throw misunderstood()
          return programById(answer.programId)
        },
      ),
    close: end,
  }
}

const misunderstood = (): DomainError =>
  new DomainError('loader_failed', 'the loading process answered another question')

function start(module: URL, gone: (child: ChildProcess) => void): Running {
  const child = fork(module, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {}, // the agent's may hold secrets; it needs none
  })
  const waiting: Running['waiting'] = new Map()
  child.unref()
  child.channel?.unref()
  child.on('message', (answer: LoaderAnswer) => {
    const asked = waiting.get(answer.number)
    waiting.delete(answer.number)
    if (answer.kind === 'failed')
      asked?.reject(
        new DomainError(answer.code, answer.message, answer.log === undefined ? {} : { log: answer.log }),
      )
    else asked?.resolve(answer)
  })
  const fail = (how: string): void => {
    gone(child)
    for (const { reject } of waiting.values())
      reject(new DomainError('loader_failed', `the loading process ${how}`))
    waiting.clear()
  }
  child.on('error', (error) => fail(`cannot be started: ${error.message}`))
  child.on('exit', (code, signal) => fail(signal === null ? `ended with ${code}` : `was ended by ${signal}`))
  return { child, waiting }
}

async function question(child: ChildProcess, waiting: Running['waiting'], request: Ask): Promise<Answered> {
  child.channel?.ref()
  try {
    return await new Promise<Answered>((resolve, reject) => {
      waiting.set(request.number, { resolve, reject })
      send(child, request)
    })
  } finally {
    if (waiting.size === 0) child.channel?.unref()
  }
}

/** A child that is gone answers nothing: its end fails all who wait. */
const send = (child: ChildProcess, request: LoaderRequest): void =>
  void (child.connected && child.send(request))
