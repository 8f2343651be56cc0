import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Lab, removeStale } from '../../tools/lab/namespaces.ts'
import { describeAsRoot } from '../support/needs-root.ts'

const existing = (): string[] => execFileSync('ls', ['/run/netns'], { encoding: 'utf8' }).split('\n')
const interfacesOf = (namespace: string): string[] =>
  (
    JSON.parse(execFileSync('ip', ['-n', namespace, '-json', 'link'], { encoding: 'utf8' })) as {
      ifname: string
    }[]
  ).map(({ ifname }) => ifname)

/** A process with a lab of two namespaces that prints their names and then does `what`. */
function owner(what: string) {
  const lab = new URL('../../tools/lab/namespaces.ts', import.meta.url)
  const source = `
    const { Lab } = await import(${JSON.stringify(lab.href)})
    const lab = new Lab()
    const [a, b] = [lab.namespace('a'), lab.namespace('b')]
    lab.link({ namespace: a, interface: 'eth1' }, { namespace: b, interface: 'eth1' })
    console.log(a.name + ' ' + b.name)
    ${what}`
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

async function namesOf(child: ReturnType<typeof owner>): Promise<string[]> {
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  return chunk.toString().trim().split(' ')
}

describeAsRoot('a lab', () => {
  test('joins namespaces that reach each other at once by IPv4 and IPv6', () => {
    using lab = new Lab()
    const [a, b] = [lab.namespace('a'), lab.namespace('b')]
    lab.link(
      { namespace: a, interface: 'eth1', addresses: ['10.77.0.1/24', 'fd77::1/64'] },
      { namespace: b, interface: 'eth2', addresses: ['10.77.0.2/24', 'fd77::2/64'] },
    )
    expect(interfacesOf(a.name)).toEqual(['lo', 'eth1'])
    expect(interfacesOf(b.name)).toEqual(['lo', 'eth2'])
    for (const target of ['10.77.0.2', 'fd77::2']) {
      const route = execFileSync('ip', ['-n', a.name, '-json', 'route', 'get', target], { encoding: 'utf8' })
      expect(JSON.parse(route)).toMatchObject([{ dst: target, dev: 'eth1' }])
    }
    const neighbours = execFileSync('ip', ['-n', a.name, '-json', 'neighbour'], { encoding: 'utf8' })
    expect(JSON.parse(neighbours)).toMatchObject([
      { dst: '10.77.0.2', lladdr: '02:68:6c:00:01:0b', state: ['PERMANENT'] },
      { dst: 'fd77::2', lladdr: '02:68:6c:00:01:0b', state: ['PERMANENT'] },
    ])
  })

  test('removes its namespaces, links and processes on close, and nothing of another lab', async () => {
    using other = new Lab()
    const kept = other.namespace('kept')
    const lab = new Lab()
    const [a, b] = [lab.namespace('a'), lab.namespace('b')]
    lab.link({ namespace: a, interface: 'eth1' }, { namespace: b, interface: 'eth1' })
    const sleeper = lab.spawn(b, 'sleep', ['60'])
    const exit = once(sleeper, 'exit')
    lab.close()
    expect(await exit).toEqual([null, 'SIGKILL'])
    expect(existing()).not.toContain(a.name)
    expect(existing()).not.toContain(b.name)
    expect(existing()).toContain(kept.name)
    lab.close() // a second time does nothing
  })

  test('removes what it made when it cannot make the rest', () => {
    const lab = new Lab()
    const a = lab.namespace('a')
    const missing = { name: 'hl-none', path: '/run/netns/hl-none' }
    expect(() =>
      lab.link({ namespace: a, interface: 'eth1' }, { namespace: missing, interface: 'eth1' }),
    ).toThrow(/`ip link add .*` failed: /)
    lab.close()
    expect(existing()).not.toContain(a.name)
  })

  test.each([
    ['ends by itself', '', 0, null],
    ['throws', 'throw new Error("fault")', 1, null],
    ['is interrupted', 'setInterval(() => {}, 1000); process.kill(process.pid, "SIGINT")', null, 'SIGINT'],
    ['is terminated', 'setInterval(() => {}, 1000); process.kill(process.pid, "SIGTERM")', null, 'SIGTERM'],
  ])('goes when its process %s', async (_, what, code, signal) => {
    const child = owner(what)
    const exit = once(child, 'exit')
    const names = await namesOf(child)
    expect(await exit).toEqual([code, signal])
    expect(names).toHaveLength(2)
    for (const name of names) expect(existing()).not.toContain(name)
  })

  test('of a killed process is found and removed, that of a living one is not', async () => {
    using living = new Lab()
    const kept = living.namespace('kept')
    const foreign = `hl-test-foreign-${process.pid}`
    execFileSync('ip', ['netns', 'add', foreign])
    try {
      const child = owner('process.kill(process.pid, "SIGKILL")')
      const exit = once(child, 'exit')
      const names = await namesOf(child)
      expect(await exit).toEqual([null, 'SIGKILL'])
      expect(readdirSync('/run/netns')).toEqual(expect.arrayContaining(names))
      expect(removeStale()).toEqual(expect.arrayContaining(names))
      for (const name of names) expect(existing()).not.toContain(name)
      expect(existing()).toEqual(expect.arrayContaining([kept.name, foreign]))
    } finally {
      execFileSync('ip', ['netns', 'delete', foreign])
    }
  })

  test('does not take a pid in use again for the dead owner', () => {
    const reused = `hl-${process.pid}-1-1-old` // this process did not start one tick after boot
    execFileSync('ip', ['netns', 'add', reused])
    expect(removeStale()).toContain(reused)
    expect(existing()).not.toContain(reused)
  })
})
