import { strict as assert } from 'node:assert'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { orAbort, withTimeout } from '../../../src/kernel/abort.js'
import { ConfigError, reasonOf, systemCode, UpstreamError } from '../../../src/kernel/errors.js'
import { samplesToMs } from '../../../src/model/pcm.js'
import { PocketsphinxLog } from './pocketsphinx-log.js'
import type { RecognizedWord } from './recognizer.js'

/** Paths of the program and its model. */
export interface PocketsphinxInstall {
  /** Name or path of `pocketsphinx_batch`. */
  program: string
  /** Folder with the acoustic model `en-us`, `en-us.lm.bin` and `cmudict-en-us.dict`. */
  modelFolder: string
}

/** The paths that Debian's packages use. */
export const DEBIAN_INSTALL: PocketsphinxInstall = {
  program: 'pocketsphinx_batch',
  modelFolder: '/usr/share/pocketsphinx/model/en-us',
}

const INSTALL_HINT = 'run "apt-get install pocketsphinx pocketsphinx-en-us"'
/**
 * Time after which a process counts as hanging: 60 s plus 5 times the audio's length. Recognition
 * takes about a fifth of that length.
 */
const HANG_MS = 60_000
const HANG_PER_AUDIO = 5
/** Samples of silence that a new process must recognize to prove that it works. */
const TRIAL_SAMPLES = 8000

/**
 * One `pocketsphinx_batch` process that recognizes utterances one after the other, with the model
 * loaded once. It reads names of audio files from a named pipe in place of its control file; its
 * log contains the words of each. When this process dies the pipe closes, and the child ends.
 *
 * Three states: *idle*, *busy* with one utterance, and *dead*, for good, when the process ended, an
 * utterance was given up, or it was closed.
 */
export class PocketsphinxWorker implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #control: FileHandle
  readonly #log: PocketsphinxLog
  /** Never resolves; rejects when the process ends. */
  readonly #death: Promise<never>
  #utterances = 0
  #state: 'idle' | 'busy' | 'dead' = 'idle'

  private constructor(child: ChildProcess, folder: string, control: FileHandle) {
    this.#child = child
    this.#folder = folder
    this.#control = control
    this.#log = new PocketsphinxLog()
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) =>
      this.#log.addLine(line),
    )
    this.#death = new Promise((_, reject) => {
      const onDeath = (why: string, cause?: Error) => {
        this.#state = 'dead'
        const complaint = this.#log.complaint === null ? '' : `, saying "${this.#log.complaint}"`
        const message = `pocketsphinx_batch ${why}${complaint}`
        reject(new UpstreamError('internal', message, { effect: 'none', cause }))
      }
      child.once('error', (error) => onDeath(`failed: ${reasonOf(error)}`, error))
      child.once('close', (code, signal) => onDeath(`ended with ${signal ?? `code ${code}`}`))
    })
    this.#death.catch(() => {}) // reported by recognize(); no unhandled rejection
  }

  /**
   * Starts a process and waits until it has recognized half a second of silence.
   * @throws ConfigError when the program or the model is missing or can't be used
   */
  static async start(
    install: PocketsphinxInstall,
    { signal }: { signal: AbortSignal },
  ): Promise<PocketsphinxWorker> {
    await assertModel(install)
    const folder = await mkdtemp(join(tmpdir(), 'nightscribe-pocketsphinx-'))
    let worker: PocketsphinxWorker | null = null
    try {
      const pipe = join(folder, 'control')
      await promisify(execFile)('mkfifo', ['-m', '600', pipe])
      // Opened for reading and writing, so that the open doesn't wait for a reader. The child has
      // no second writer: it sees the end of the pipe when this process ends.
      const control = await open(pipe, 'r+')
      const child = spawn(install.program, programArguments(install, folder), {
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      worker = new PocketsphinxWorker(child, folder, control)
      lowerPriority(child)
      await worker.recognize(new Int16Array(TRIAL_SAMPLES), { signal })
      return worker
    } catch (error) {
      if (worker === null) await rm(folder, { recursive: true, force: true })
      else await worker[Symbol.asyncDispose]()
      signal.throwIfAborted()
      const isMissing = error instanceof UpstreamError && systemCode(error.cause) === 'ENOENT'
      throw new ConfigError(
        'config_invalid',
        isMissing
          ? `The program ${install.program} isn't installed: ${INSTALL_HINT}.`
          : `The recognizer can't be used, ${reasonOf(error)}: ${INSTALL_HINT}.`,
        { cause: error },
      )
    }
  }

  /** True once nothing can be recognized any more. */
  get isDead(): boolean {
    return this.#state === 'dead'
  }

  /**
   * The words of one utterance, with times from its first sample. One call at a time.
   * @throws UpstreamError when the process dies or hangs, the signal's reason; the worker is dead
   * in each case
   */
  async recognize(
    samples: Int16Array,
    { signal }: { signal: AbortSignal },
  ): Promise<RecognizedWord[]> {
    assert.equal(this.#state, 'idle', 'an utterance at a time, and none after the end')
    this.#state = 'busy'
    const name = `u${this.#utterances++}`
    const path = join(this.#folder, `${name}.raw`)
    const hangMs = HANG_MS + HANG_PER_AUDIO * samplesToMs(samples.length)
    const onHang = () => {
      return new UpstreamError('internal', `pocketsphinx_batch gave no answer in ${hangMs} ms`, {
        effect: 'none',
      })
    }
    try {
      const words = await withTimeout(hangMs, signal, onHang, async (inTime) => {
        await writeFile(
          path,
          new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength),
        )
        const heard = this.#log.wordsOf(name)
        await this.#control.write(`${name} 0 -1 ${name}\n`)
        return await orAbort(Promise.race([heard, this.#death]), inTime)
      })
      await rm(path)
      this.#state = 'idle'
      return words
    } catch (error) {
      this.#state = 'dead'
      throw error
    }
  }

  /** Ends the process at once and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'dead'
    const child = this.#child
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const closed = once(child, 'close')
      child.kill('SIGKILL') // it has no state worth saving
      await closed
    }
    await this.#control.close()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** @throws ConfigError when a file of the model can't be read */
async function assertModel({ modelFolder }: PocketsphinxInstall): Promise<void> {
  for (const name of ['en-us/mdef', 'en-us.lm.bin', 'cmudict-en-us.dict']) {
    const path = join(modelFolder, name)
    try {
      await access(path)
    } catch (error) {
      throw new ConfigError(
        'config_invalid',
        `The speech model file ${path} can't be read (${systemCode(error)}): ${INSTALL_HINT}.`,
        { cause: error },
      )
    }
  }
}

function programArguments({ modelFolder }: PocketsphinxInstall, folder: string): string[] {
  const options = {
    hmm: join(modelFolder, 'en-us'),
    lm: join(modelFolder, 'en-us.lm.bin'),
    dict: join(modelFolder, 'cmudict-en-us.dict'),
    ctl: join(folder, 'control'),
    adcin: 'yes',
    cepdir: folder,
    cepext: '.raw',
    backtrace: 'yes', // makes the log list words with their frames
    remove_silence: 'no', // else times would skip the silence that it removes
    remove_noise: 'no', // it loses words where there is little noise
  }
  return Object.entries(options).flatMap(([name, value]) => [`-${name}`, value])
}

/** Lowers the recognizer's priority below the server's, whose deltas are due every 80 ms. */
function lowerPriority(child: ChildProcess): void {
  if (child.pid === undefined) return // not started; its error event reports why
  try {
    setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // The process has ended already, or the system forbids it; recognition works without.
  }
}
