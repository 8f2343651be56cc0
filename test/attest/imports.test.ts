import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'

/** Packages that a fresh process has loaded after importing `module`. */
function loadedBy(module: string): string[] {
  const script = `
    await import(${JSON.stringify(new URL(`../../src/attest/${module}`, import.meta.url).href)})
    const { createRequire } = await import('node:module')
    console.log(JSON.stringify(Object.keys(createRequire('/').cache)))`
  const out = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  const files: string[] = JSON.parse(out)
  return [...new Set(files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []))]
}

describe('what an agent loads to check releases and orders', () => {
  test.each(['verify-release.ts', 'order.ts', 'http-signature.ts', 'keys.ts'])(
    '%s leaves the signing package out',
    (module) => {
      expect(loadedBy(module)).not.toContain('@sigstore/sign')
    },
  )

  test('sign-release.ts does load it, so the check above can see it', () => {
    expect(loadedBy('sign-release.ts')).toContain('@sigstore/sign')
  })
})
