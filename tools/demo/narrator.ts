/** Tells what goes on, on standard error: standard output is for results. Colours only on a terminal. */
export class Narrator {
  readonly #bold: (text: string) => string
  #steps = 0

  constructor() {
    const colours = process.stderr.isTTY && process.env['NO_COLOR'] === undefined
    this.#bold = (text) => (colours ? `\u001b[1m${text}\u001b[0m` : text)
  }

  step(text: string): void {
    this.#write(`\n${this.#bold(`${++this.#steps}. ${text}`)}\n`)
  }

  line(text: string): void {
    this.#write(`   ${text}\n`)
  }

  block(text: string): void {
    this.#write(`${text.replace(/^/gm, '   ')}\n`)
  }

  #write(text: string): void {
    process.stderr.write(text)
  }
}
