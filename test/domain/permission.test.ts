import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { asDomainError } from '../../src/domain/errors.ts'
import {
  diffPermissions,
  missingPermissions,
  PERMISSIONS,
  Permission,
  type PermissionFinding,
  permissionsOf,
  placeText,
  refusedPermissions,
  requireGranted,
} from '../../src/domain/permission.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'

const finding = (permission: Permission, instruction = 1, source?: string): PermissionFinding => ({
  ...{ permission, entry: 'e', function: 'f', instruction, what: 'helper bpf_redirect#23' },
  ...(source === undefined ? {} : { source }),
})
const FOUND = [finding('redirect', 7), finding('drop', 2), finding('redirect', 9)]

describe('permissions', () => {
  test('have a title, a sentence and a line in the documentation each', () => {
    const page = readFileSync('docs/permissions.md', 'utf8')
    for (const name of Permission.options) {
      const { title, meaning, risk } = PERMISSIONS[name]
      expect(title).toMatch(/^[a-z][^.]+$/)
      expect(meaning).toMatch(/^It .*\.$/)
      expect(page).toContain(`| \`${name}\` | ${risk} | ${meaning} |`)
    }
  })
  test('of findings are named once, in the order of the list', () =>
    expect(permissionsOf(FOUND)).toEqual(['drop', 'redirect']))
  test('that are not declared are each shown by the first finding', () => {
    expect(missingPermissions([], FOUND)).toEqual([FOUND[1], FOUND[0]])
    expect(missingPermissions(['drop', 'timers'], FOUND)).toEqual([FOUND[0]])
    expect(missingPermissions(['redirect', 'drop'], FOUND)).toEqual([])
  })
  test('that are not granted are the same, unless all is granted by `unknown`', () => {
    expect(refusedPermissions(['drop'], FOUND)).toEqual([FOUND[0]])
    expect(refusedPermissions(['unknown'], FOUND)).toEqual([])
    expect(missingPermissions(['unknown'], FOUND)).toHaveLength(2)
    expect(refusedPermissions(['drop', 'redirect'], [...FOUND, finding('unknown')])).toHaveLength(1)
  })
  test('differ between two lists', () =>
    expect(diffPermissions(['drop', 'timers'], ['redirect', 'drop'])).toEqual({
      added: ['redirect'],
      removed: ['timers'],
    }))
  test('refuse a release with evidence', () => {
    expect(() => requireGranted('a/b@1.0.0', ['drop', 'redirect'], FOUND)).not.toThrow()
    try {
      requireGranted('a/b@1.0.0', ['drop'], [finding('redirect', 7, 'x.c:9')])
      expect.unreachable()
    } catch (error) {
      expect(asDomainError(error)).toMatchObject({
        code: 'permission_not_granted',
        message:
          'trust.yaml does not grant a/b@1.0.0 redirect (helper bpf_redirect#23 in f at instruction 7, x.c:9)',
      })
    }
  })
  test('are found in a place', () =>
    expect(placeText(finding('drop', 3))).toBe('helper bpf_redirect#23 in f at instruction 3'))
})

describe('a policy', () => {
  const rule = (permissions: string): string =>
    `programs: [{ match: "a/*", signers: [{ key: "sha256:${'a'.repeat(64)}" }]${permissions} }]`
  test('grants nothing where it says nothing', () =>
    expect(parseTrustPolicy(rule('')).programs[0]?.permissions).toEqual([]))
  test('grants what it names, and knows no other names', () => {
    expect(parseTrustPolicy(rule(', permissions: [drop]')).programs[0]?.permissions).toEqual(['drop'])
    expect(() => parseTrustPolicy(rule(', permissions: [fly]'))).toThrow(/permissions\[0\]/)
  })
})
