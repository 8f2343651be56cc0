import { readdirSync, readlinkSync } from 'node:fs'

/** This process's open BPF descriptors (programs, maps, links, BTF), as the kernel calls them, by number. */
export function bpfDescriptors(): string[] {
  const found: string[] = []
  for (const number of readdirSync('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${number}`)
      if (/bpf|btf/.test(target)) found.push(`${number} ${target}`)
    } catch {
      // the descriptor of the listing itself
    }
  }
  return found
}
