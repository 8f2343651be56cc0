import { expect, test } from 'vitest'
import { updateArrayOfMaps, waitForPackets } from '../../src/kernel/rcu.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { bpfDescriptors } from './descriptors.ts'

describeAsRoot('waiting for packets on their way', () => {
  test.each([
    ['as the kernel offers it', waitForPackets],
    ['by the update of an array of maps', updateArrayOfMaps],
  ])('ends, and leaves nothing open: %s', (_, wait) => {
    const before = bpfDescriptors()
    for (let round = 0; round < 3; round++) wait()
    expect(bpfDescriptors()).toEqual(before)
  })
})
