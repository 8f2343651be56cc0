/** The loading process's file: .ts from the sources, .js from the package. */
export const LOADER = new URL(import.meta.url.endsWith('.ts') ? 'loader.ts' : 'loader.js', import.meta.url)
