/**
 * Makes a function that reads once for many who ask at the same time. Who asks while a read is under way shares the next one,
 * never that: nobody is answered with what was read before he asked.
 */
export function sharingReads<Value>(): (key: string, read: () => Promise<Value>) => Promise<Value> {
  const underWay = new Map<string, Promise<Value>>()
  const next = new Map<string, Promise<Value>>()
  const begin = (key: string, read: () => Promise<Value>): Promise<Value> => {
    next.delete(key)
    const reading = read()
    underWay.set(key, reading)
    const end = (): void => {
      if (underWay.get(key) === reading) underWay.delete(key)
    }
    reading.then(end, end)
    return reading
  }
  return (key, read) => {
    const [current, shared] = [underWay.get(key), next.get(key)]
    if (shared !== undefined) return shared
    if (current === undefined) return begin(key, read)
    const after = (): Promise<Value> => begin(key, read)
    const coming = current.then(after, after)
    next.set(key, coming)
    return coming
  }
}
