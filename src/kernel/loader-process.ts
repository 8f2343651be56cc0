import { asDomainError } from '../domain/errors.ts'
import { programInfo } from './bpf-info.ts'
import { mapById } from './bpf-map.ts'
import { loadWithMapIds } from './loader.ts'
import type { LoaderAnswer, LoaderRequest } from './loader-protocol.ts'
import { openOriginal } from './original.ts'

/**
 * The loading process of an agent: parses and loads what strangers wrote, so that a fault in libbpf, or a verification
 * that takes long, is not the agent's. It ends with its agent, or when that lets go of the channel.
 */
export function serveLoader(): void {
  const held = new Map<number, () => void>()
  const end = (): never => process.exit(0)
  /** An agent that was killed meanwhile takes no answer: that is an end, too, and no error. */
  const answer = (message: LoaderAnswer): void =>
    void process.send?.(message, undefined, undefined, (error) => {
      if (error !== null) end()
    })
  process.on('disconnect', end)
  process.on('message', (request: LoaderRequest) => {
    const { kind, number } = request
    try {
      if (kind === 'original') {
        const { close, ...original } = openWithMapIds(request.request)
        held.set(number, close)
        answer({ kind, number, original })
      } else if (kind === 'program') {
        const program = loadWithMapIds({ ...request.image, code: Buffer.from(request.image.code) })
        held.set(number, () => program.close())
        answer({ kind, number, programId: programInfo(program).id })
      } else {
        held.get(number)?.()
        held.delete(number)
      }
    } catch (error) {
      const { code, message, log } = asDomainError(error)
      answer({ kind: 'failed', number, code, message, log })
    }
  })
}

function openWithMapIds(request: Extract<LoaderRequest, { kind: 'original' }>['request']) {
  const kept = [...request.reuse].map(([name, id]) => [name, mapById(id)] as const)
  try {
    return openOriginal({
      ...request,
      bytes: Buffer.from(request.bytes),
      reuse: new Map(kept.map(([name, fd]) => [name, fd.number])),
    })
  } finally {
    for (const [, fd] of kept) fd.close()
  }
}
