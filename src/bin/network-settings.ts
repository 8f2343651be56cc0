import { readFileSync } from 'node:fs'
import { setGlobalProxyFromEnv } from 'node:http'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'

/** Variables that name a proxy, and hosts that are asked without one. */
const PROXY = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'] as const

/**
 * How this process reaches others: through the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and, by HOOKLINE_CA_FILE, trusting
 * the authorities in a PEM file beside the usual ones. Throws when the file cannot be read, or holds no certificate.
 */
export function applyNetworkSettings(env: Readonly<Record<string, string | undefined>>): void {
  if (PROXY.some((name) => env[name])) setGlobalProxyFromEnv({ ...env })
  const file = env['HOOKLINE_CA_FILE']
  if (!file) return
  const pem = readFileSync(file, 'utf8')
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no certificate in PEM')
  setDefaultCACertificates([...getCACertificates('default'), pem])
}
