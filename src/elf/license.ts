import { DomainError } from '../domain/errors.ts'
import { type ElfFile, findSection } from './elf-file.ts'

/** Licences that let a program call GPL-only helpers (license_is_gpl_compatible, linux/license.h), with their SPDX expressions. */
const GPL_COMPATIBLE = new Map([
  ['GPL', 'GPL-2.0-only'],
  ['GPL v2', 'GPL-2.0-only'],
  ['GPL and additional rights', 'GPL-2.0-only'],
  ['Dual BSD/GPL', 'BSD-2-Clause OR GPL-2.0-only'],
  ['Dual MIT/GPL', 'MIT OR GPL-2.0-only'],
  ['Dual MPL/GPL', 'MPL-2.0 OR GPL-2.0-only'],
])

/** Bytes of a licence that loaders keep, its NUL included (libbpf, struct bpf_object). */
const LICENSE_BYTES = 64

/** The text of the section `license`, or undefined without one. Throws `elf_malformed` when it has no end or is not text. */
export function readLicense(file: ElfFile): string | undefined {
  const section = findSection(file, 'license')
  if (section === undefined) return undefined
  const end = section.data.bytes.subarray(0, LICENSE_BYTES).indexOf(0)
  const text = section.data.bytes.toString('latin1', 0, Math.max(end, 0))
  if (end < 0 || !/^[\x20-\x7e]*$/.test(text))
    throw new DomainError(
      'elf_malformed',
      `section license is no text of at most ${LICENSE_BYTES - 1} characters`,
    )
  return text
}

/** Whether the kernel lets a program of this licence call GPL-only helpers: an exact comparison with the kernel's list. */
export const isGplCompatible = (license: string | undefined): boolean =>
  license !== undefined && GPL_COMPATIBLE.has(license)

/** A guess at the SPDX expression of a licence; its own text where there is none. */
export const spdxGuess = (license: string): string => GPL_COMPATIBLE.get(license) ?? license
