import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { noPackets } from '../../../src/domain/hook.ts'
import type { Observed } from '../../../src/domain/node.ts'
import { type EnrolledNode, emptyReport, enrolledNode } from '../../http/enrolled-node.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openBrowser, signIn, type TestBrowser } from '../../support/browser.ts'
import { mark, stayed } from './looks.ts'

let registry: RunningRegistry
let browser: TestBrowser
let node: EnrolledNode
let operator = ''

beforeAll(async () => {
  ;[registry, browser] = await Promise.all([startRegistry(), openBrowser()])
  operator = await registry.account('petra', { fleet: 'operator' })
  node = await enrolledNode(registry, 'fra-edge-1', { role: 'edge' })
})
afterEach(() => browser?.leave())
afterAll(async () => {
  await browser?.close()
  await registry?.close()
})

/** A report of a chain of these releases, the first of which dropped so many packets. */
function reportOf(releases: readonly string[], dropped: number): Observed {
  const entries = releases.map((release, at) => {
    const [, instance = ''] = /\/(.+)@/.exec(release) ?? []
    const counts = { ...noPackets('xdp'), pass: 5000, drop: at === 0 ? dropped : 0 }
    return {
      ...{ position: at + 1, function: 'edge', instance, release, entry: `xdp_${instance}` },
      ...{ object: `sha256:${'0'.repeat(64)}`, proceed: ['pass'], form: 'fused' as const },
      ...{ packets: counts, total: counts },
    }
  })
  return {
    ...emptyReport(),
    functions: [{ name: 'edge', revision: 1, state: 'running' }],
    chains: [
      {
        ...{ netns: '', interface: 'eth1', ifindex: 3, hook: 'xdp', mode: 'native' },
        functions: [{ name: 'edge', revision: 1 }],
        ...{ generation: releases.length, linkId: 7, programId: 70, programTag: '0123456789abcdef' },
        ...{ since: new Date().toISOString(), entries },
      },
    ],
  }
}

const report = async (observed: Observed): Promise<void> => {
  const { status } = await node.call('PUT', `/api/v1/nodes/${node.id}/observed`, { body: observed })
  expect(status).toBeLessThan(300)
}

test('the picture of a node follows what it reports, without a reload', async () => {
  await report(reportOf(['acme/scrub@1.0.0'], 10))
  const { page, context, complaints } = await browser.visitor()
  await signIn(context, registry.url, operator)
  await page.goto(`${registry.url}/nodes/${node.id}`)
  await mark(page)
  const shown = () => page.locator('main').innerText()
  expect(await shown()).toContain('scrub')
  expect(await shown()).not.toContain('ratelimit')
  await report(reportOf(['acme/scrub@1.0.0', 'acme/ratelimit@1.1.0'], 987_654))
  await expect.poll(shown).toContain('ratelimit')
  await expect.poll(shown).toMatch(/987\s654|987[.,]?6k|987k/)
  const error = {
    ...{ code: 'verifier_refused', message: 'R6 invalid mem access', remedy: 'see the verifier’s log' },
    log: '29: (85) call bpf_ringbuf_reserve#131\nR6 invalid mem access',
  }
  await report({
    ...reportOf(['acme/scrub@1.0.0'], 987_654),
    functions: [
      { name: 'edge', revision: 1, state: 'running' },
      { name: 'observe', revision: 0, state: 'refused', error },
    ],
  })
  await expect.poll(shown).toContain('R6 invalid mem access')
  await expect.poll(shown).not.toContain('ratelimit')
  expect(await stayed(page)).toBe(true)
  expect(complaints).toEqual([])
})

test('without scripts the same page shows the newest report when it is loaded again', async () => {
  await report(reportOf(['acme/scrub@1.0.0'], 5))
  const { page, context } = await browser.visitor({ javaScriptEnabled: false })
  await signIn(context, registry.url, operator)
  await page.goto(`${registry.url}/nodes/${node.id}`)
  expect(await page.locator('main').innerText()).toContain('scrub')
  await report(reportOf(['acme/counter@1.0.0'], 5))
  await page.reload()
  expect(await page.locator('main').innerText()).toContain('counter')
})

test('nobody else sees a node', async () => {
  const { page, context } = await browser.visitor()
  await page.goto(`${registry.url}/nodes/${node.id}`)
  expect(new URL(page.url()).pathname).toBe('/sign-in')
  await signIn(context, registry.url, await registry.account('eve'))
  const answer = await page.goto(`${registry.url}/nodes/${node.id}`)
  expect([403, 404]).toContain(answer?.status())
  expect(await page.content()).not.toContain('fra-edge-1')
})
