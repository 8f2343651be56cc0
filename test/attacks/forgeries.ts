import type { BuiltRelease } from '../http/release-builder.ts'

/** The same bytes with the last bit turned. */
export function flipped(bytes: Buffer | undefined): Buffer {
  if (bytes === undefined) throw new Error('there is no such file')
  const copy = Buffer.from(bytes)
  copy.writeUInt8((copy.at(-1) ?? 0) ^ 1, copy.length - 1)
  return copy
}

/** The same bytes with one more, which no reader of objects looks at. */
export const lengthened = (bytes: Buffer = Buffer.alloc(0)): Buffer => Buffer.concat([bytes, Buffer.alloc(1)])

/** Files of a release with one put in the place of that name, or beside the others. */
export const withFile = ({ files }: BuiltRelease, name: string, bytes: Buffer): Map<string, Buffer> =>
  new Map([...files, [name, bytes]])

/** Files of a release without one. */
export const withoutFile = ({ files }: BuiltRelease, name: string): Map<string, Buffer> =>
  new Map([...files].filter(([each]) => each !== name))

/** A JSON object that names a key twice: readers differ in which one counts. */
export const withKeyTwice = (json: string): string => json.replace('{', '{"mediaType":"text/plain",')

/** A DSSE envelope whose payload was changed after it was signed. Throws when that changes nothing. */
export function altered(envelope: string, change: (payload: string) => string): string {
  const signed: { payload: string } = JSON.parse(envelope)
  const before = Buffer.from(signed.payload, 'base64').toString()
  const after = change(before)
  if (after === before) throw new Error(`nothing is altered in ${before}`)
  return JSON.stringify({ ...signed, payload: Buffer.from(after).toString('base64') })
}

/** Changes the instances that an order names. */
export const withInstances =
  (change: (instances: unknown[]) => unknown[]) =>
  (payload: string): string => {
    const order = JSON.parse(payload)
    order.function.instances = change(order.function.instances)
    return JSON.stringify(order)
  }

/** Changes what an order configures: for the test's programs, from passing to dropping. */
export const reconfigured = withInstances((instances) =>
  instances.map((instance) => Object.assign({}, instance, { config: { drop: 1 } })),
)
