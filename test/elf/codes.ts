import { expect } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'

/** The code of the DomainError that `work` throws, or 'accepted'. Anything else that it throws passes through. */
export function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (thrown) {
    if (thrown instanceof DomainError) return thrown.code
    throw thrown
  }
  return 'accepted'
}

/** Expects a DomainError with the code and a message of one line that fits `message`. */
export function expectRefusal(work: () => unknown, code: string, message: RegExp): void {
  let thrown: unknown
  try {
    work()
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(DomainError)
  expect({ code: (thrown as DomainError).code, message: (thrown as DomainError).message }).toEqual({
    code,
    message: expect.stringMatching(message),
  })
  expect((thrown as DomainError).message).not.toMatch(/[\n\r]/)
}
