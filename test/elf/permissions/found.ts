import type { Hook } from '../../../src/domain/hook.ts'
import { type Permission, type PermissionFinding, permissionsOf } from '../../../src/domain/permission.ts'
import { readObject } from '../../../src/elf/bpf-object.ts'
import { findPermissions } from '../../../src/elf/permissions/find-permissions.ts'

/** All findings of one program of an object. */
export const findingsIn = (bytes: Buffer, entry: string, hook: Hook): PermissionFinding[] =>
  findPermissions([{ object: readObject(bytes), entry, hook }])

/** Its permissions. */
export const foundIn = (bytes: Buffer, entry: string, hook: Hook): Permission[] =>
  permissionsOf(findingsIn(bytes, entry, hook))
