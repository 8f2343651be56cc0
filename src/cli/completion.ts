import type { Command } from 'commander'
import { DomainError } from '../domain/errors.ts'
import type { Outcome } from './io.ts'

/** Shells that words can be completed in. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** What may follow a command: commands and flags, by the words that lead to it; the empty text leads to all. */
function wordsOf(program: Command): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const walk = (command: Command, path: string): void => {
    const flags = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]))
    found.set(path, [...command.commands.map((one) => one.name()), ...flags, '--help'])
    for (const one of command.commands) walk(one, `${path} ${one.name()}`.trim())
  }
  walk(program, '')
  return found
}

/** A script that completes commands and flags in a shell; files are completed where neither fits. Throws `usage`. */
export function completion(program: Command, { shell }: { shell: Shell }): Outcome {
  const words = wordsOf(program)
  const script = shell === 'fish' ? fish(words) : bash(words, shell === 'zsh')
  if (script === '') throw new DomainError('usage', `no completion for ${shell}`)
  return { json: { shell, script }, text: script.trimEnd() }
}

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: the shell's own
/** The same function serves zsh, which has bash's way of completing too. */
function bash(words: ReadonlyMap<string, string[]>, zsh: boolean): string {
  const cases = [...words].map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`)
  return [
    ...(zsh ? ['autoload -U +X compinit && compinit', 'autoload -U +X bashcompinit && bashcompinit'] : []),
    '_hookline() {',
    "  local word path='' words='' next",
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in -*) continue ;; esac',
    '    next="${path:+$path }$word"',
    '    case "$next" in',
    ...[...words.keys()].filter((path) => path !== '').map((path) => `      '${path}') path="$next" ;;`),
    '    esac',
    '  done',
    '  case "$path" in',
    ...cases,
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    '}',
    'complete -o default -F _hookline hookline',
    '',
  ].join('\n')
}

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the shell's own

function fish(words: ReadonlyMap<string, string[]>): string {
  const lines = [...words].flatMap(([path, next]) => {
    const before = path === '' ? [] : path.split(' ')
    const inside = before.map((word) => `__fish_seen_subcommand_from ${word}`)
    const condition = inside.length === 0 ? '__fish_use_subcommand' : inside.join('; and ')
    return next.map((word) =>
      word.startsWith('--')
        ? `complete -c hookline -n '${condition}' -l ${word.slice(2)}`
        : `complete -c hookline -f -n '${condition}' -a ${word}`,
    )
  })
  return `${lines.join('\n')}\n`
}
