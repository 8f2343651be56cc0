/** What a command sees of the process that runs it. Made in src/bin; tests make their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Home directory of the user, for the settings file. */
  readonly home: string
  /** Columns of the terminal on standard output; undefined when it is no terminal. */
  readonly columns: number | undefined
  /** Asks the person at the terminal for a secret, which is not shown; undefined where there is none. */
  readonly askSecret?: ((prompt: string) => Promise<string>) | undefined
  /** Standard output: results only. */
  write(text: string): void
  /** Standard error: progress, warnings and errors. */
  note(text: string): void
}

/** One run of one command. */
export interface Context {
  readonly io: Io
  /** The caller wants one JSON document on standard output, and nothing for people. */
  readonly json: boolean
  /** A line about what is going on; silent with --json. */
  progress(line: string): void
}

/** What a command found out, for programs and for people. */
export interface Outcome {
  readonly json: unknown
  readonly text: string
  /** It was found out, but it is bad news: the exit code is 1. */
  readonly failed?: boolean
  /** It was found out, and is not to be trusted: the exit code is 3. */
  readonly refused?: boolean
}
