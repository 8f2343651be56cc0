import { describe, expect, test } from 'vitest'
import {
  formatLogProof,
  formatWitnessRequest,
  parseLogProof,
  parseWitnessRequest,
} from '../../src/tlog/proof-text.ts'
import { codeOf } from '../attest/craft.ts'

const HASHES = [
  'PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=',
  'jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=',
  '5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=',
]
const proof = HASHES.map((hash) => Buffer.from(hash, 'base64'))
const note =
  'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n'

describe('a request for a cosignature', () => {
  const text = `old 20852014\n${HASHES.join('\n')}\n\n${note}`

  test('is read and written alike', () => {
    expect(parseWitnessRequest(text)).toEqual({ from: 20_852_014, proof, note })
    expect(formatWitnessRequest({ from: 20_852_014, proof, note })).toBe(text)
    expect(formatWitnessRequest({ from: 0, proof: [], note })).toBe(`old 0\n\n${note}`)
    expect(parseWitnessRequest(`old 0\n\n${note}`)).toEqual({ from: 0, proof: [], note })
  })

  test.each([
    ['no old size', text.replace('old 20852014\n', '')],
    ['an old size with a zero before', text.replace('old 2', 'old 02')],
    ['two spaces', text.replace('old ', 'old  ')],
    ['another word', text.replace('old', 'new')],
    ['a short hash', text.replace('pkaw=', 'pka=')],
    ['spare bits in a hash', text.replace('pkaw=', 'pkax=')],
    ['64 hashes', text.replace('old 20852014\n', `old 20852014\n${`${HASHES[0]}\n`.repeat(61)}`)],
    ['no empty line', 'old 0\n'],
    ['carriage returns', text.replaceAll('\n', '\r\n')],
    ['nothing', ''],
  ])('with %s is refused', (_, changed) => {
    expect(changed).not.toBe(text)
    expect(codeOf(() => parseWitnessRequest(changed))).toBe('log_malformed')
  })
})

describe('a proof of an entry', () => {
  const text = `c2sp.org/tlog-proof@v1\nindex 73894\n${HASHES.join('\n')}\n\n${note}`

  test('is read and written alike, with and without extra data', () => {
    expect(parseLogProof(text)).toEqual({ index: 73_894, proof, note })
    expect(formatLogProof({ index: 73_894, proof, note })).toBe(text)
    const extra = text.replace('index', 'extra YWdlLXYxLjIuMQ==\nindex')
    const whole = { index: 73_894, proof, note, extra: Buffer.from('age-v1.2.1') }
    expect(parseLogProof(extra)).toEqual(whole)
    expect(formatLogProof(whole)).toBe(extra)
    expect(parseLogProof(formatLogProof({ index: 0, proof: [], note })).proof).toEqual([])
  })

  test.each([
    ['another header', text.replace('@v1', '@v2')],
    ['no index', text.replace('index 73894\n', '')],
    ['a negative index', text.replace('73894', '-1')],
    ['extra data behind the index', text.replace('73894\n', '73894\nextra AAAA\n')],
    ['extra data that is not base64', text.replace('index', 'extra AB==\nindex')],
    ['extra data twice', text.replace('index', 'extra AAAA\nextra AAAA\nindex')],
    ['a word for a hash', text.replace('\n\n', '\nhash\n\n')],
  ])('with %s is refused', (_, changed) => {
    expect(changed).not.toBe(text)
    expect(codeOf(() => parseLogProof(changed))).toBe('log_malformed')
  })
})
