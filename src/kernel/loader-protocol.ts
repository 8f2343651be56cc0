import type { ErrorCode } from '../domain/errors.ts'
import type { ProgramImage } from './bpf-program.ts'
import type { OpenOriginal, OriginalRequest } from './original.ts'

/** What the agent asks of its loading process. Both sides are of one build, and nobody else can reach the channel. */
export type LoaderRequest =
  | {
      readonly kind: 'original'
      readonly number: number
      /** Maps to use are named by the kernel's ids: descriptors mean nothing in another process. */
      readonly request: Omit<OriginalRequest, 'reuse'> & { readonly reuse: ReadonlyMap<string, number> }
    }
  | { readonly kind: 'program'; readonly number: number; readonly image: ProgramImage }
  /** The agent has opened what an answer named: the loading process may let it go. */
  | { readonly kind: 'taken'; readonly number: number }

/** What it answers. It holds what it names until it is told that the agent has it. */
export type LoaderAnswer =
  | { readonly kind: 'original'; readonly number: number; readonly original: Omit<OpenOriginal, 'close'> }
  | { readonly kind: 'program'; readonly number: number; readonly programId: number }
  | {
      readonly kind: 'failed'
      readonly number: number
      readonly code: ErrorCode
      readonly message: string
      readonly log: string | undefined
    }
