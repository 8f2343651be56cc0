import { expect, test } from 'vitest'
import { parseFunction } from '../../src/domain/function.ts'
import { parseManifest } from '../../src/domain/manifest.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'

const MANIFEST = `name: acme/limit
version: 1.0.0
summary: Limits
license: MIT
programs:
  - object: a.o
    entry: x
    hook: xdp
config:
  - { name: rate, variable: cfg_rate, type: u32, default: 5 }
`
const FUNCTION = `kind: function
name: edge
selector: { role: edge }
interfaces: [eth0]
instances:
  - use: acme/limit@^1.0
    config: { rate: 5 }
`
const POLICY = `programs:
  - match: "acme/*"
    signers: [{ key: "sha256:${'a'.repeat(64)}" }]
`
const read = { manifest: parseManifest, function: parseFunction, policy: parseTrustPolicy }
const text = { manifest: MANIFEST, function: FUNCTION, policy: POLICY }

test.each<[keyof typeof read, string, string, string]>([
  [
    'manifest',
    'hook: xdp',
    'hook: xpd',
    'line 8: programs[0].hook: must be one of xdp, tc-ingress, tc-egress',
  ],
  ['manifest', 'entry: x', 'entri: x', 'line 7: programs[0].entri: is not known: did you mean entry?'],
  [
    'manifest',
    'license: MIT',
    'license: MIT\nlicence: MIT',
    'line 5: licence: is not known: did you mean license?',
  ],
  [
    'manifest',
    'license: MIT',
    'license: MIT\nzzz: 1',
    'line 5: zzz: is not known; there are name, version, summary',
  ],
  ['manifest', 'license: MIT\n', '', 'hookline.yaml: license: is missing'],
  ['manifest', 'license: MIT', 'license: 7', 'line 4: license: must be text, not 7'],
  ['manifest', 'summary: Limits', 'summary: ""', 'line 3: summary: must have at least 1 character'],
  ['manifest', 'license: MIT', 'license: MIT\nsource: ../up', 'line 5: source: is no http address'],
  ['manifest', 'type: u32', 'type: u33', 'line 10: config[0].type: must be one of u8, u16'],
  ['manifest', 'default: 5', 'defalt: 5', 'line 10: config[0].defalt: is not known: did you mean default?'],
  ['function', 'kind: function', 'kind: funktion', 'line 1: kind: must be function'],
  ['function', 'kind: function\n', '', 'kind: is missing: it must be function'],
  ['function', 'interfaces: [eth0]', 'interfaces: eth0', 'line 4: interfaces: must be a list, not text'],
  ['function', 'interfaces: [eth0]', 'interfaces: []', 'line 4: interfaces: must have at least 1 item'],
  [
    'function',
    'interfaces: [eth0]',
    'interfaces: [eth0]\npriority: 65536',
    'priority: must be at most 65535',
  ],
  [
    'function',
    'interfaces: [eth0]',
    'interfaces: [eth0]\npriority: 1.5',
    'priority: must be a whole number, not 1.5',
  ],
  ['function', 'config: {', 'konfig: {', 'line 7: instances[0].konfig: is not known: did you mean config?'],
  [
    'function',
    'config: {',
    'proceed: { x: [pas] }\n    config: {',
    'line 7: instances[0].proceed.x[0]: must be one of aborted, drop, pass',
  ],
  [
    'function',
    'rate: 5',
    'rate: many',
    'line 7: instances[0].config.rate: must be a whole number, true or false, or a list of items',
  ],
  [
    'function',
    'rate: 5',
    'rate: [10.0.0.1]',
    'line 7: instances[0].config.rate[0]: must be members with values, such as { prefix: 10.0.0.0/8 }',
  ],
  [
    'manifest',
    'hook: xdp',
    'hook: xdp\n    proceed: [pass, ok]',
    'programs[0].proceed: "ok" is no verdict of xdp; it has: aborted, drop, pass, tx, redirect',
  ],
  [
    'manifest',
    'hook: xdp',
    'hook: tc-egress\n    proceed: [pass]',
    'programs[0].proceed: "pass" is no verdict of tc-egress; it has: next, ok, shot',
  ],
  ['policy', 'key:', 'kee:', 'line 3: programs[0].signers[0].kee: is not known: did you mean key?'],
  ['policy', 'sha256:', 'sha255:', 'line 3: programs[0].signers[0].key: sha256: and 64 hexadecimal digits'],
  ['policy', 'match:', 'mach:', 'line 2: programs[0].mach: is not known: did you mean match?'],
])('%s with %j as %j: says %j', (kind, sound, broken, message) => {
  expect(() => read[kind](text[kind])).not.toThrow()
  expect(text[kind]).toContain(sound)
  let thrown = ''
  try {
    read[kind](text[kind].replace(sound, () => broken))
  } catch (error) {
    thrown = error instanceof Error ? error.message : ''
  }
  expect(thrown).toContain(message)
  expect(thrown).not.toMatch(/Invalid|expected|received|Unrecognized/)
})
