import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { formatCheckpoint, parseCheckpoint } from '../../src/tlog/checkpoint.ts'
import { EMPTY_ROOT } from '../../src/tlog/merkle.ts'
import { formatNote, parseNote, signatureLine, verifyNote } from '../../src/tlog/note.ts'
import { asCosigner, formatNoteKey, noteKeyOf, parseNoteKey } from '../../src/tlog/note-key.ts'
import { codeOf } from '../attest/craft.ts'
import { newSigner, signerOfSeed } from './signers.ts'

/** The key and note that golang.org/x/mod/sumdb/note is tested with; others test themselves with them too. */
const PETER = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const PETER_SEED = Buffer.from('AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz', 'base64').subarray(1)
const TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
const LINE =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'
const NOTE = `${TEXT}\n${LINE}`
const peter = parseNoteKey(PETER)
const names = (note: string | Buffer, keys = [peter]): string[] =>
  verifyNote(parseNote(note), keys).map(({ key }) => key.name)

describe('a verifier key', () => {
  test('is read and written alike', () => {
    expect(peter.name).toBe('PeterNeumann')
    expect(formatNoteKey(peter)).toBe(PETER)
    const { key } = newSigner('example.com/witness', 'cosignature')
    expect(parseNoteKey(formatNoteKey(key))).toEqual(key)
    expect(asCosigner(newSigner('example.com/log').key).type).toBe('cosignature')
  })

  test('has one form: no part of it, and no other with one character changed, is a key', () => {
    for (let start = 0; start < PETER.length; start++)
      for (let end = start; end <= PETER.length; end++)
        if (end - start < PETER.length)
          expect(codeOf(() => parseNoteKey(PETER.slice(start, end)))).toBe('log_key_invalid')
    for (let at = 0; at < PETER.length; at++) {
      const next = String.fromCharCode(PETER.charCodeAt(at) + 1)
      const changed = PETER.slice(0, at) + next + PETER.slice(at + 1)
      expect(codeOf(() => parseNoteKey(changed))).toBe('log_key_invalid')
    }
  })

  test.each([
    'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==', // too long, with the id of that
    'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', // unknown type, with the id of that
    'rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=',
  ])('%s is none', (text) => {
    expect(codeOf(() => parseNoteKey(text))).toBe('log_key_invalid')
  })

  test('has no spaces or plus signs in its name, and is Ed25519', () => {
    for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u2003b', 'a\nb', '\ud800'])
      expect(codeOf(() => newSigner(name))).toBe('log_key_invalid')
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(codeOf(() => noteKeyOf('a', 'note', publicKey))).toBe('log_key_invalid')
  })
})

describe('a signed note', () => {
  test('of another implementation is read, and made alike', () => {
    expect(parseNote(NOTE).text).toBe(TEXT)
    expect(names(NOTE)).toEqual(['PeterNeumann'])
    expect(names(Buffer.from(NOTE))).toEqual(['PeterNeumann'])
    const signer = signerOfSeed('PeterNeumann', PETER_SEED)
    expect(formatNoteKey(signer.key)).toBe(PETER)
    expect(formatNote(TEXT, [signatureLine(TEXT, signer)])).toBe(NOTE)
  })

  test('with any character of its text changed, or any bit of its signature, is refused', () => {
    for (let at = 0; at < TEXT.length - 1; at++) {
      const changed = `${TEXT.slice(0, at)}#${TEXT.slice(at + 1)}\n${LINE}`
      expect(codeOf(() => names(changed))).toBe('log_untrusted')
    }
    const bytes = Buffer.from(LINE.split(' ')[2] ?? '', 'base64')
    for (let bit = 32; bit < bytes.length * 8; bit++) {
      const turned = Buffer.from(bytes)
      turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const note = formatNote(TEXT, [`— PeterNeumann ${turned.toString('base64')}\n`])
      expect(codeOf(() => names(note))).toBe('log_untrusted')
    }
  })

  test('is signed by those who are known, whoever else is below it', () => {
    const [one, two] = [newSigner('one'), newSigner('two')]
    const note = NOTE + signatureLine(TEXT, one) + signatureLine(TEXT, two) + LINE
    expect(names(note)).toEqual(['PeterNeumann'])
    expect(names(note, [two.key, peter, one.key])).toEqual(['two', 'PeterNeumann', 'one'])
    expect(names(note, [newSigner('PeterNeumann').key])).toEqual([])
    expect(names(note, [])).toEqual([])
    const strangers = `— PeterNeumann ${Buffer.alloc(68, 1).toString('base64')}\n— other ${LINE.split(' ')[2]}`
    expect(names(NOTE + strangers)).toEqual(['PeterNeumann'])
  })

  test('is refused when one of two signatures of a known key does not hold', () => {
    const bad = LINE.replace('RyyBwJnAM=', 'RyyBwJnBM=')
    expect(bad).not.toBe(LINE)
    expect(codeOf(() => names(NOTE + bad))).toBe('log_untrusted')
    expect(codeOf(() => names(`${TEXT}\n${bad}${LINE}`))).toBe('log_untrusted')
    const short = `— PeterNeumann ${Buffer.concat([peter.id, Buffer.alloc(1)]).toString('base64')}\n`
    expect(codeOf(() => names(NOTE + short))).toBe('log_untrusted')
  })

  test('may hold empty lines in its text', () => {
    const signer = newSigner('one')
    for (const text of ['\n', 'a\n\nb\n', '\n\n\n', '— a b\n'])
      expect(names(formatNote(text, [signatureLine(text, signer)]), [signer.key])).toEqual(['one'])
  })

  test.each([
    ['without signatures', TEXT],
    ['with an empty line only', `${TEXT}\n`],
    ['with a last line that does not end', NOTE.slice(0, -1)],
    ['with a control character', `\u0001${NOTE}`],
    ['with a carriage return', NOTE.replace('\n', '\r\n')],
    ['with bytes that are not UTF-8', Buffer.concat([Buffer.from([0xff]), Buffer.from(NOTE)])],
    ['with half a character', `\ud800${NOTE}`],
    ['with a space in a name', NOTE.replace('PeterNeumann', 'Bad Name')],
    ['with a plus in a name', NOTE.replace('PeterNeumann', 'Bad+Name')],
    ['with another space in a name', NOTE.replace('PeterNeumann', 'Bad\u2003Name')],
    ['with a line of something else', `${NOTE}Unexpected line.\n`],
    ['with a hyphen for the dash', NOTE.replace('—', '-')],
    ['with base64 that has spare bits', NOTE.replace('JnAM=', 'JnAN=')],
    ['with base64 without padding', NOTE.replace('JnAM=', 'JnAM')],
    ['with base64 of an id alone', `${TEXT}\n— a AAAAAA==\n`],
    ['with a line too many', NOTE + LINE.repeat(LIMITS.note_signatures)],
    ['that is too long', TEXT.repeat(2000) + NOTE],
    ['of nothing', ''],
  ])('%s is not read', (_, note) => {
    expect(codeOf(() => parseNote(note))).toBe('log_malformed')
  })

  test('has room for 16 signatures of the largest kind', () => {
    const line = `— pq.example/key ${Buffer.alloc(4900).toString('base64')}\n`
    expect(names(NOTE + line.repeat(16))).toEqual(['PeterNeumann'])
  })

  test('is not made of a text that no note can have', () => {
    for (const text of ['no newline', '', 'a\tb\n', '\udc00\n'])
      expect(codeOf(() => signatureLine(text, newSigner('one')))).toBe('log_malformed')
  })
})

describe('a cosignature', () => {
  const witness = newSigner('witness.example.com/w1', 'cosignature')
  const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
  const line = signatureLine(text, witness, 1_679_315_147)

  test('is over the header, the time and the whole text', () => {
    const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64')
    expect(bytes).toHaveLength(4 + 8 + 64)
    expect(bytes.readBigUInt64BE(4)).toBe(1_679_315_147n)
    // The same key as a note's: what it signs is the message that the specification writes out.
    const asNote = { key: noteKeyOf('w', 'note', witness.privateKey), privateKey: witness.privateKey }
    const plain = signatureLine(`cosignature/v1\ntime 1679315147\n${text}`, asNote).split(' ')[2] ?? ''
    expect(bytes.subarray(12)).toEqual(Buffer.from(plain, 'base64').subarray(4))
  })

  test('says when; of several the last', () => {
    const newer = signatureLine(text, witness, 1_679_315_200)
    for (const lines of [
      [line, newer],
      [newer, line],
    ])
      expect(verifyNote(parseNote(formatNote(text, lines)), [witness.key])).toEqual([
        { key: witness.key, time: 1_679_315_200 },
      ])
  })

  test('is refused with another time, another text, or as a note’s', () => {
    const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64')
    const codeFor = (text: string, bytes: Buffer): string =>
      codeOf(() =>
        verifyNote(parseNote(formatNote(text, [`— ${witness.key.name} ${bytes.toString('base64')}\n`])), [
          witness.key,
        ]),
      )
    expect(codeFor(text, bytes)).toBe('no error')
    for (let at = 4; at < 12; at++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      expect(codeFor(text, changed)).toBe('log_untrusted')
    }
    expect(codeFor(`${text}more\n`, bytes)).toBe('log_untrusted')
    expect(codeFor(text, Buffer.concat([bytes.subarray(0, 4), bytes.subarray(12)]))).toBe('log_untrusted')
  })

  test('is refused with a time that JavaScript cannot hold', () => {
    const codeFor = (time: number): string =>
      codeOf(() =>
        verifyNote(parseNote(formatNote(text, [signatureLine(text, witness, time)])), [witness.key]),
      )
    expect(codeFor(Number.MAX_SAFE_INTEGER)).toBe('no error')
    expect(codeFor(2 ** 60)).toBe('log_untrusted')
  })

  test('has a time, and nothing else has', () => {
    expect(() => signatureLine(text, witness)).toThrow(TypeError)
    expect(() => signatureLine(text, newSigner('one'), 1)).toThrow(TypeError)
  })
})

describe('a checkpoint', () => {
  const root = EMPTY_ROOT.toString('base64')

  test('is read and written alike', () => {
    const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
    const checkpoint = parseCheckpoint(text)
    expect(checkpoint).toMatchObject({
      origin: 'example.com/behind-the-sofa',
      size: 20_852_163,
      extensions: [],
    })
    expect(formatCheckpoint(checkpoint)).toBe(text)
    expect(parseCheckpoint(`o\n0\n${root}\nmore\nlines\n`).extensions).toEqual(['more', 'lines'])
  })

  test.each([
    ['no origin', `\n1\n${root}\n`],
    ['no size', `o\n\n${root}\n`],
    ['a size with a zero before', `o\n01\n${root}\n`],
    ['a negative size', `o\n-1\n${root}\n`],
    ['a size with a space', `o\n1 \n${root}\n`],
    ['a size that JavaScript cannot hold', `o\n9007199254740992\n${root}\n`],
    ['a size in hexadecimal', `o\n0x1\n${root}\n`],
    ['no root', 'o\n1\n'],
    ['a short root', 'o\n1\nAAAA\n'],
    ['a root with spare bits', `o\n1\n${root.replace('FU=', 'FV=')}\n`],
    ['an empty extension', `o\n1\n${root}\n\nx\n`],
    ['an empty last extension', `o\n1\n${root}\n\n`],
    ['too many extensions', `o\n1\n${root}\n${'x\n'.repeat(17)}`],
    ['a last line that does not end', `o\n1\n${root}`],
    ['nothing', ''],
  ])('with %s is refused', (_, text) => {
    expect(codeOf(() => parseCheckpoint(text))).toBe('log_malformed')
  })

  test('is not made of what cannot be read', () => {
    const good = { origin: 'o', size: 1, root: EMPTY_ROOT, extensions: [] }
    expect(codeOf(() => formatCheckpoint(good))).toBe('no error')
    for (const change of [
      { origin: '' },
      { origin: 'a\nb' },
      { size: 1.5 },
      { root: Buffer.alloc(31) },
      { extensions: [''] },
    ])
      expect(codeOf(() => formatCheckpoint({ ...good, ...change }))).toBe('log_malformed')
  })
})
