/** The bytes of canonical base64 (RFC 4648 section 4, with padding); undefined for text that does not encode back to itself. */
export function canonicalBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** A whole number as ASCII decimal without leading zeroes that JavaScript holds exactly; undefined for anything else. */
export function canonicalNumber(text: string): number | undefined {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}
