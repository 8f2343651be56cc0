/** Controls, broken surrogates, separators of lines, and what turns the direction of text (UAX #9, explicit formatting). */
const REWRITING = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u

/** Whether text is shown as it reads: nothing in it hides, moves or turns around what stands beside it. */
export const isPlainLine = (text: string): boolean => !REWRITING.test(text)

/** The same for text of several lines. */
export const isPlainText = (text: string): boolean => isPlainLine(text.replace(/[\n\r\t]/g, ' '))

/** What is said of text that is not. */
export const NOT_PLAIN = 'it holds control characters, or such as turn text around'
