import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { blobSettings } from '../../src/bin/blob-settings.ts'

const Service = z.looseObject({
  image: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.array(z.string()),
  ports: z.array(z.string()).default([]),
})
const compose = z
  .object({
    services: z.record(z.string(), Service),
    networks: z.record(z.string(), z.unknown()),
    volumes: z.record(z.string(), z.unknown()),
  })
  .parse(parse(readFileSync('deploy/compose.yaml', 'utf8'), { merge: true }))
const services = Object.entries(compose.services)

describe('deploy/compose.yaml', () => {
  test('has two registries that share everything but their directory', () => {
    const registries = services.filter(([name]) => name.startsWith('registry-'))
    expect(registries).toHaveLength(2)
    const [one, other] = registries.map(([, { volumes, ...rest }]) => ({ rest, volumes }))
    expect(one?.rest).toEqual(other?.rest)
    expect(one?.volumes).not.toEqual(other?.volumes)
    for (const [, { environment, read_only, cap_drop }] of registries) {
      expect(blobSettings(environment)).toMatchObject({ endpoint: 'http://minio:9000', bucket: 'hookline' })
      expect(environment['DATABASE_URL']).toContain('@postgres:5432/')
      expect([read_only, cap_drop]).toEqual([true, ['ALL']])
    }
  })
  test('names only what it has', () => {
    for (const [, { depends_on, networks, volumes }] of services) {
      for (const name of Array.isArray(depends_on) ? depends_on : Object.keys(depends_on))
        expect(compose.services).toHaveProperty([name])
      for (const name of networks) expect(compose.networks).toHaveProperty([name])
      for (const volume of volumes) {
        const [source = ''] = volume.split(':')
        if (source.startsWith('.')) expect(existsSync(`deploy/${source}`)).toBe(true)
        else expect(compose.volumes).toHaveProperty([source])
      }
    }
  })
  test('only the proxy is reached from outside, images are pinned, and passwords come from the environment', () => {
    expect(services.filter(([, { ports }]) => ports.length > 0).map(([name]) => name)).toEqual(['proxy'])
    for (const [, { image }] of services) expect(image).toMatch(/:|^hookline-registry$/)
    const text = readFileSync('deploy/compose.yaml', 'utf8')
    const named = new Set([...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => name))
    const example = readFileSync('deploy/example.env', 'utf8')
    for (const name of named) expect(example).toMatch(new RegExp(`^${name}=`, 'm'))
    for (const name of ['POSTGRES_PASSWORD', 'MINIO_PASSWORD'])
      expect(example).toMatch(new RegExp(`^${name}=$`, 'm'))
  })
})

describe('Dockerfile', () => {
  const lines = readFileSync('Dockerfile', 'utf8').replaceAll('\\\n', ' ').split('\n')
  const of = (word: string) => lines.filter((line) => line.startsWith(`${word} `))
  test('copies only what is there and what .dockerignore lets through', () => {
    const let_in = readFileSync('.dockerignore', 'utf8').split('\n')
    const sources = of('COPY')
      .filter((line) => !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1))
    expect(sources.length).toBeGreaterThan(8)
    for (const source of sources) {
      expect(existsSync(source)).toBe(true)
      expect(let_in).toContain(`!${source.split('/')[0]}`)
    }
  })
  test('ends as a user who is not root, under an init', () => {
    expect(of('USER')).toEqual(['USER node'])
    expect(lines.indexOf('USER node')).toBeGreaterThan(
      lines.findLastIndex((line) => line.startsWith('FROM ')),
    )
    expect(of('ENTRYPOINT')[0]).toContain('/usr/bin/tini')
    expect(of('FROM').every((line) => /^FROM node:24-[\w-]+( AS \w+)?$/.test(line))).toBe(true)
  })
})

describe('deploy/hookline-agent.service', () => {
  const settings = new Map(
    readFileSync('deploy/hookline-agent.service', 'utf8')
      .split('\n')
      .flatMap((line): [string, string][] => {
        const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? []
        return name === '' ? [] : [[name, value]]
      }),
  )
  test('may write where the agent keeps its state by default, and to the BPF file system of the host', () => {
    const flags = readFileSync('src/cli/service-commands.ts', 'utf8')
    expect(flags).toContain(`'/var/lib/${settings.get('StateDirectory')}'`)
    expect(flags).toContain(`'--bpffs <path>', 'BPF file system', '${settings.get('ReadWritePaths')}'`)
    expect(settings.get('AssertPathIsMountPoint')).toBe(settings.get('ReadWritePaths'))
    expect(settings.get('ProtectSystem')).toBe('strict')
  })
  test('leaves the agent what it cannot work without, and nothing that forbids it', () => {
    expect(settings.get('CapabilityBoundingSet')?.split(' ').sort()).toEqual([
      'CAP_BPF',
      'CAP_NET_ADMIN',
      'CAP_PERFMON',
      'CAP_SYS_ADMIN',
    ])
    expect(settings.get('SystemCallFilter')).toBe('@system-service bpf')
    for (const name of ['MemoryDenyWriteExecute', 'PrivateNetwork', 'PrivateUsers', 'User', 'DynamicUser'])
      expect(settings.has(name)).toBe(false)
  })
  test('is in the package that nodes install', () => {
    expect(readFileSync('package.json', 'utf8')).toContain('"deploy/hookline-agent.service"')
  })
})
