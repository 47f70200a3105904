import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type LostUtterance,
  PocketsphinxPool,
} from '../../../../gpu/standin/recognizers/pocketsphinx-pool.js'
import { createPocketsphinxFactory } from '../../../../gpu/standin/recognizers/pocketsphinx-recognizer.js'
import type { RecognizedWord } from '../../../../gpu/standin/recognizers/recognizer.js'
import { ConfigError } from '../../../../src/kernel/errors.js'
import { whiteNoise } from '../../../fakes/tone-noise.js'

/**
 * Talks like `pocketsphinx_batch`: the one word that it hears says how many bytes the utterance
 * had. Dies over 666 bytes always and over 668 the first time, falls asleep over 670, and takes its
 * time over more than 100,000.
 */
const PROGRAM = `#!/bin/sh
folder=$(dirname "$0")
while [ $# -gt 0 ]; do
  case $1 in -ctl) ctl=$2 ;; -cepdir) audio=$2 ;; esac
  shift
done
echo started >> "$folder/starts"
while read -r name rest; do
  bytes=$(wc -c < "$audio/$name.raw")
  case $bytes in
    666) kill -9 $$ ;;
    668) [ -e "$folder/died" ] || { touch "$folder/died"; kill -9 $$; } ;;
    670) echo asleep >> "$folder/starts"; exec sleep 600 ;;
  esac
  [ "$bytes" -gt 100000 ] && sleep 0.5
  echo "w$bytes 0 9 1.000 -1 -1 1" >&2
  echo "$name done ----" >&2
done < "$ctl"
`

let folder: string
let install: { program: string; modelFolder: string }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightscribe-pool-'))
  const temporary = join(folder, 'tmp')
  install = { program: join(folder, 'program'), modelFolder: join(folder, 'model') }
  await mkdir(temporary)
  await mkdir(join(install.modelFolder, 'en-us'), { recursive: true })
  for (const name of ['en-us/mdef', 'en-us.lm.bin', 'cmudict-en-us.dict']) {
    await writeFile(join(install.modelFolder, name), '')
  }
  await writeProgram(PROGRAM)
  vi.stubEnv('TMPDIR', temporary)
})

afterEach(async () => {
  expect(await readdir(join(folder, 'tmp'))).toEqual([]) // each test closes what it started
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

async function writeProgram(text: string): Promise<void> {
  await writeFile(install.program, text)
  await chmod(install.program, 0o755)
}

async function startedPool(options: { workerCount?: number; waitingMsMax?: number } = {}) {
  const lost: LostUtterance[] = []
  const pool = new PocketsphinxPool({
    install,
    workerCount: options.workerCount ?? 1,
    waitingMsMax: options.waitingMsMax ?? 60_000,
    onLost: (one) => lost.push(one),
  })
  await pool.start()
  const session = {}
  const heard = (bytes: number) =>
    new Promise<string[]>((resolve) => {
      pool.submit({
        session,
        samples: new Int16Array(bytes / 2),
        onWords: (words: RecognizedWord[]) => resolve(words.map(({ text }) => text)),
      })
    })
  return { pool, lost, heard }
}

describe('PocketsphinxPool', () => {
  it('recognizes one utterance after the other with one process', async () => {
    const { pool, lost, heard } = await startedPool()
    expect(await Promise.all([heard(320), heard(640), heard(960)])).toEqual([
      ['w320'],
      ['w640'],
      ['w960'],
    ])
    await pool.close()
    expect(lost).toEqual([])
  })

  it('tries an utterance again over which a process died', async () => {
    const { pool, lost, heard } = await startedPool()
    expect(await Promise.all([heard(668), heard(320)])).toEqual([['w668'], ['w320']])
    await pool.close()
    expect(lost).toEqual([])
  })

  it('gives up an utterance over which two died, and goes on with the next', async () => {
    const { pool, lost, heard } = await startedPool()
    expect(await Promise.all([heard(666), heard(320)])).toEqual([[], ['w320']])
    await pool.close()
    expect(lost).toEqual([{ reason: 'process_failed', audioMs: 666 / 32 }])
  })

  it('gives up what is more than may wait', async () => {
    const { pool, lost, heard } = await startedPool({ waitingMsMax: 30 })
    // The first is taken at once, the second waits, the third is too much.
    expect(await Promise.all([heard(640), heard(642), heard(644)])).toEqual([
      ['w640'],
      ['w642'],
      [],
    ])
    await pool.close()
    expect(lost).toEqual([{ reason: 'queue_full', audioMs: 644 / 32 }])
  })

  it('closes while a process is busy and others wait', async () => {
    const { pool, heard } = await startedPool({ workerCount: 2 })
    const answers = vi.fn()
    for (const bytes of [670, 670, 320]) void heard(bytes).then(answers)
    const starts = join(folder, 'starts')
    await vi.waitFor(async () => {
      expect((await readFile(starts, 'utf8')).match(/asleep/g)).toHaveLength(2)
    })
    await pool.close()
    expect(answers).not.toHaveBeenCalled()
  })

  it('says in one sentence that the program is missing', async () => {
    install.program = join(folder, 'nowhere')
    const start = createPocketsphinxFactory({ install }).start()
    await expect(start).rejects.toThrow(ConfigError)
    await expect(start).rejects.toThrow(
      `The program ${install.program} isn't installed: ` +
        'run "apt-get install pocketsphinx pocketsphinx-en-us".',
    )
  })

  it('says in one sentence that the model is missing', async () => {
    const path = join(install.modelFolder, 'en-us.lm.bin')
    await rm(path)
    const start = createPocketsphinxFactory({ install }).start()
    await expect(start).rejects.toThrow(ConfigError)
    await expect(start).rejects.toThrow(
      `The speech model file ${path} can't be read (ENOENT): ` +
        'run "apt-get install pocketsphinx pocketsphinx-en-us".',
    )
  })

  it('says what the program says that ends at once', async () => {
    await writeProgram('#!/bin/sh\necho "ERROR: bad model" >&2\nexit 3\n')
    const start = createPocketsphinxFactory({ install, workerCount: 2 }).start()
    await expect(start).rejects.toThrow(ConfigError)
    await expect(start).rejects.toThrow('ended with code 3, saying "ERROR: bad model"')
  })

  it('hands words out in their order, whichever process is done first', async () => {
    const factory = createPocketsphinxFactory({ install, workerCount: 2 })
    await factory.start()
    const samples = new Int16Array(10 * 16_000)
    samples.set(whiteNoise({ seed: 1, samples: 4 * 16_000, rms: 3000 }), 16_000)
    samples.set(whiteNoise({ seed: 2, samples: 16_000, rms: 3000 }), 8 * 16_000)
    const settledMs: number[] = []
    const words = await new Promise<RecognizedWord[]>((resolve) => {
      const recognizer = factory.create(() => {
        settledMs.push(recognizer.settledMs)
        if (recognizer.settledMs === Number.POSITIVE_INFINITY) resolve(recognizer.take())
      })
      recognizer.feed(samples)
      recognizer.end()
      expect(recognizer.settledMs).toBe(750)
      expect(recognizer.take()).toEqual([])
    })
    await factory.close()
    // The one of 4.5 s is slow, that of 1.5 s is quick and waits for it.
    expect(words).toEqual([
      { text: `w${4.47 * 32_000}`, endMs: 850 },
      { text: `w${1.5 * 32_000}`, endMs: 7850 },
    ])
    expect(settledMs).toEqual([Number.POSITIVE_INFINITY])
  })
})
