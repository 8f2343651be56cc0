import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect, connectWithToken } from '../../src/cli/settings.ts'
import { HttpDouble, json } from '../client/double.ts'
import { memoryIo, scratch } from './hookline.ts'

const folder = await scratch()
let registry: HttpDouble
beforeEach(async () => {
  registry = await HttpDouble.start((_, response) => json(response, 200, { programs: [] }))
})
afterEach(() => registry.close())

/** Writes a settings file into a home of its own. */
async function homeWith(content: string): Promise<string> {
  const home = join(folder, `home-${Math.random()}`)
  await mkdir(join(home, '.config', 'hookline'), { recursive: true })
  await writeFile(join(home, '.config', 'hookline', 'config.json'), content)
  return home
}
/** The token that arrives, 'none' without one. */
async function arrives(
  io: Parameters<typeof memoryIo>[0],
  flags: { url?: string; token?: string; tokenFile?: string },
): Promise<string> {
  await (await connect(memoryIo(io), flags)).programs({})
  return registry.requests.at(-1)?.headers.authorization ?? 'none'
}
const config = (value: object): Promise<string> => homeWith(JSON.stringify(value))

describe('the registry and its token', () => {
  test('come from flags before the environment before the file', async () => {
    const home = await config({ url: 'http://127.0.0.1:9/', token: 'file' })
    const env = { HOOKLINE_URL: 'http://127.0.0.1:9', HOOKLINE_TOKEN: 'env' }
    expect(await arrives({ home, env }, { url: registry.url, token: 'flag' })).toBe('Bearer flag')
    expect(await arrives({ home, env }, { url: registry.url })).toBe('Bearer env')
    expect(await arrives({ env: { ...env, HOOKLINE_URL: registry.url } }, {})).toBe('Bearer env')
    expect(await arrives({ home: await config({ url: registry.url, token: 'file' }) }, {})).toBe(
      'Bearer file',
    )
  })

  test('the token of the file goes to the registry of the file, and to no other', async () => {
    const same = await config({ url: `${registry.url}/`, token: 'file' })
    expect(await arrives({ home: same }, { url: registry.url })).toBe('Bearer file')
    const other = await config({ url: 'http://127.0.0.1:9', token: 'file' })
    expect(await arrives({ home: other }, { url: registry.url })).toBe('none')
    expect(await arrives({ home: await config({ token: 'file' }) }, { url: registry.url })).toBe('none')
  })

  test('a token may lie in a file, which counts before the environment', async () => {
    const tokenFile = join(folder, 'token')
    await writeFile(tokenFile, '  in-file\n')
    const env = { HOOKLINE_TOKEN: 'env' }
    expect(await arrives({ env }, { url: registry.url, tokenFile })).toBe('Bearer in-file')
    const both = connect(memoryIo(), { url: registry.url, token: 'flag', tokenFile })
    await expect(both).rejects.toMatchObject({ code: 'usage' })
  })

  test.each([
    ['nothing', ' \n'],
    ['two lines', 'seven\nhills\n'],
    ['what no header can carry', 'seven\u0007hills'],
  ])('a token file with %s is refused, and not shown', async (_, content) => {
    const tokenFile = join(folder, 'bad-token')
    await writeFile(tokenFile, content)
    const thrown = await connect(memoryIo(), { url: registry.url, tokenFile }).catch((error) => error)
    expect(thrown).toMatchObject({ code: 'usage' })
    expect(thrown.message).not.toContain('seven')
  })

  test('a token file that is not there is refused', async () => {
    const missing = connect(memoryIo(), { url: registry.url, tokenFile: join(folder, 'missing') })
    await expect(missing).rejects.toMatchObject({ code: 'file_unreadable' })
  })

  test('an empty variable is none', async () => {
    const home = await config({ url: registry.url })
    expect(await arrives({ home, env: { HOOKLINE_URL: '', HOOKLINE_TOKEN: '' } }, {})).toBe('none')
  })

  test('are asked for when they are missing', async () => {
    await expect(connect(memoryIo(), {})).rejects.toMatchObject({ code: 'no_registry' })
    await expect(connectWithToken(memoryIo(), {})).rejects.toMatchObject({ code: 'no_registry' })
    await expect(connectWithToken(memoryIo(), { url: registry.url })).rejects.toMatchObject({
      code: 'no_token',
    })
  })
})

describe('a settings file', () => {
  test.each([
    ['that is no JSON', 'url: x'],
    ['with an unknown setting', '{"uri":"http://127.0.0.1"}'],
    ['that names a setting twice', '{"token":"a","token":"b"}'],
  ])('%s is refused', async (_, content) => {
    const home = await homeWith(content)
    await expect(connect(memoryIo({ home }), {})).rejects.toMatchObject({ code: 'invalid_json' })
  })

  test('that is a folder is said to be unreadable', async () => {
    const home = join(folder, 'odd')
    await mkdir(join(home, '.config', 'hookline', 'config.json'), { recursive: true })
    await chmod(home, 0o755)
    await expect(connect(memoryIo({ home }), {})).rejects.toMatchObject({ code: 'file_unreadable' })
  })
})
