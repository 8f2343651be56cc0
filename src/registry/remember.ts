/** How much is kept: so many values, and so much of their weights together. */
interface Room {
  readonly values: number
  readonly weight?: number
}

/**
 * Makes a function that makes each value once and remembers those used last. Only for what never changes under its key, such as
 * what is read out of the bytes of a digest. What failed is not remembered.
 */
export function remembering<Value>(
  { values, weight: most = Number.POSITIVE_INFINITY }: Room,
  weigh: (value: Value) => number = () => 0,
): (key: string, make: () => Promise<Value>) => Promise<Value> {
  const kept = new Map<string, { value: Promise<Value>; weight: number }>()
  let weight = 0
  const forget = (key: string): void => {
    weight -= kept.get(key)?.weight ?? 0
    kept.delete(key)
  }
  const shrink = (): void => {
    for (const key of kept.keys()) {
      if (kept.size <= values && weight <= most) return
      forget(key)
    }
  }
  return (key, make) => {
    const known = kept.get(key)
    if (known !== undefined) {
      // the order of a Map is that of insertion: the first is the one that was not used for longest
      kept.delete(key)
      kept.set(key, known)
      return known.value
    }
    const entry = { value: make(), weight: 0 }
    kept.set(key, entry)
    shrink()
    entry.value.then(
      (value) => {
        if (kept.get(key) !== entry) return
        entry.weight = weigh(value)
        weight += entry.weight
        shrink()
      },
      () => {
        if (kept.get(key) === entry) forget(key)
      },
    )
    return entry.value
  }
}
