import type { IncomingMessage } from 'node:http'

/** Whether a request has a header field more than once, `name` in lower case: Node itself then goes by one of them. */
export const isRepeated = ({ rawHeaders }: IncomingMessage, name: string): boolean =>
  rawHeaders.filter((field, at) => at % 2 === 0 && field.toLowerCase() === name).length > 1
