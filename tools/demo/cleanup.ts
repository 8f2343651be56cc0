/** Steps that undo what was made, run backwards once, whatever ends the work. */
export class Cleanup {
  readonly #steps: { readonly name: string; readonly undo: () => Promise<unknown> | unknown }[] = []
  #running: Promise<string[]> | undefined

  /** Remembers how to undo what was just made. */
  add(name: string, undo: () => Promise<unknown> | unknown): void {
    this.#steps.push({ name, undo })
  }

  /** Undoes everything, the latest first, going on past failures. Gives what could not be undone. */
  run(): Promise<string[]> {
    this.#running ??= this.#undoAll()
    return this.#running
  }

  async #undoAll(): Promise<string[]> {
    const failures: string[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop())
      try {
        await step.undo()
      } catch (error) {
        failures.push(`${step.name}: ${error instanceof Error ? error.message : error}`)
      }
    return failures
  }
}
