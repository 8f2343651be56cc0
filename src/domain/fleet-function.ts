import { z } from 'zod'
import { Name, Use, Version } from './names.ts'

/** The signed order as it is sent: a DSSE envelope in JSON. */
export const OrderUpload = z.strictObject({ envelope: z.string() })

/** A function as the registry holds it: its newest revision, and what its ranges resolve to now. */
export const FunctionView = z.strictObject({
  name: Name,
  revision: z.int().min(1),
  state: z.enum(['applied', 'removed']),
  envelope: z.string(),
  appliedAt: z.iso.datetime(),
  resolutions: z.array(z.strictObject({ use: Use, version: Version.optional() })),
})
export type FunctionView = z.infer<typeof FunctionView>

/** One step in a function's past: a revision together with the versions its ranges resolved to from `at` on. */
export const FunctionStep = z.strictObject({
  revision: z.int().min(1),
  envelope: z.string(),
  at: z.iso.datetime(),
  resolutions: z.array(z.strictObject({ use: Use, version: Version })),
})
export type FunctionStep = z.infer<typeof FunctionStep>

/** All functions by name, the removed ones among them. */
export const FunctionList = z.strictObject({ functions: z.array(FunctionView) })

/** A function's past, newest step first. */
export const FunctionHistory = z.strictObject({ steps: z.array(FunctionStep) })
