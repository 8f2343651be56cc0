import semver from 'semver'

/** A kernel's first two numbers as one, which compares: 5.15 is 5015. */
export function kernelNumber(series: string): number {
  const [major = 0, minor = 0] = series.split('.').map(Number)
  return major * 1000 + minor
}

/** The number of {@link kernelNumber} as text; undefined for none. */
export const kernelSeries = (number: number): string | undefined =>
  number === 0 ? undefined : `${Math.floor(number / 1000)}.${number % 1000}`

/** The oldest kernel that a manifest's range allows, as a number; 0 when it names none, or is no range. */
export function oldestKernel(range: string | undefined): number {
  if (range === undefined || semver.validRange(range) === null) return 0
  const oldest = semver.minVersion(range)
  return oldest === null ? 0 : oldest.major * 1000 + oldest.minor
}
