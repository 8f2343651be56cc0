/**
 * A word of a POSIX shell's command: what a stranger chose is in single quotes, in which nothing has a meaning but the quote itself
 * (POSIX.1-2024, Shell Command Language, section 2.2.2).
 */
export const shellWord = (text: string): string =>
  /^[A-Za-z0-9_./:@^-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
