import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { fetchedSpeechModel } from '../../src/config/data/speech-model.js'
import { readEnvironment } from '../../src/config/environment.js'
import { projectRoot } from '../../src/config/project-root.js'
import { systemClock } from '../../src/kernel/clock.js'
import { ConfigError, reasonOf } from '../../src/kernel/errors.js'
import { promptTokens } from '../../src/model/step-law.js'
import { DEFAULT_MODEL_ID, DEFAULT_VERSION } from './engine/engine-resources.js'
import { DEFAULT_MAX_MODEL_LEN, DEFAULT_MAX_NUM_SEQS } from './engine/standin-engine.js'
import type { Fault } from './faults/fault-kinds.js'
import { parseFault } from './faults/faults.js'
import type { RecognizerFactory } from './recognizers/recognizer.js'
import { fetchedModelConfig, folderModelConfig } from './recognizers/speech/model-folder.js'
import { createSpeechFactory } from './recognizers/speech/speech-recognizer.js'
import { createTonesFactory } from './recognizers/tones-recognizer.js'
import { type Standin, startStandin } from './server.js'

/**
 * The stand-in as a process: prints one JSON line on stdout once it listens, and nothing after it.
 */

interface Flags {
  port: number
  recognizer: 'moonshine' | 'tones'
  speechModel?: string
  model: string
  maxModelLen: number
  maxNumSeqs: number
  gpu?: string
  blocks?: number
  blockSize?: number
  vllm: string
  timeScale: number
  key?: string
  fault: Fault[]
  exitWithStdin: boolean
}

const RECOGNIZERS: Readonly<Record<Flags['recognizer'], (flags: Flags) => RecognizerFactory>> = {
  moonshine: speechFactory,
  tones: createTonesFactory,
}

function speechFactory({ speechModel }: Flags): RecognizerFactory {
  return createSpeechFactory({
    model: () => {
      if (speechModel !== undefined) return folderModelConfig(speechModel)
      return fetchedModelConfig(fetchedSpeechModel({ cwd: projectRoot(), env: readEnvironment() }))
    },
    clock: systemClock(),
    onLost: ({ reason, audioMs }) => {
      process.stderr.write(`Words of ${Math.round(audioMs)} ms of speech are lost: ${reason}.\n`)
    },
  })
}

function parseFlags(argv: readonly string[]): Flags {
  const command = new Command('standin')
    .description('Speaks vLLM Realtime without a GPU. A test double: what comes from it says so.')
    .option('--port <number>', 'port on 127.0.0.1; 0 takes a free one', integer(0, 65_535), 8000)
    .addOption(
      new Option('--recognizer <name>', 'moonshine recognizes speech, tones reads test fixtures')
        .choices(Object.keys(RECOGNIZERS))
        .default('moonshine'),
    )
    .option('--speech-model <folder>', 'another Moonshine or Whisper model of sherpa-onnx')
    .option('--model <id>', 'model id that it serves', DEFAULT_MODEL_ID)
    .option(
      '--max-model-len <tokens>',
      'tokens of a session, prompt included',
      integer(promptTokens() + 1),
      DEFAULT_MAX_MODEL_LEN,
    )
    .option(
      '--max-num-seqs <number>',
      'utterances at a time; more wait silently',
      integer(1),
      DEFAULT_MAX_NUM_SEQS,
    )
    .option('--gpu <name>', 'step times and number of KV blocks as on this GPU: l40s, …')
    .option('--blocks <number>', 'KV blocks, one of them unusable; default: unlimited', integer(2))
    .option('--block-size <tokens>', 'tokens of a KV block; default: 16, as on GPUs', integer(1))
    .option('--vllm <version>', 'version of vLLM that it imitates', DEFAULT_VERSION)
    .option('--time-scale <factor>', 'factor by which steps and waits pass faster', factor, 1)
    .option('--key <key>', 'bearer key for everything under /v1')
    .option(
      '--fault <kind:key=value,…>',
      'a fault to apply, see README.md; repeatable',
      (text, faults: Fault[]) => [...faults, parseFault(text)],
      [],
    )
    .option('--exit-with-stdin', 'end when stdin closes, so that no orphan stays', false)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  return command.parse([...argv], { from: 'user' }).opts<Flags>()
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
    throw new InvalidArgumentError(`It must be a whole number ${range}.`)
  }
}

function factor(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value >= 0.01 && value <= 1000) return value
  throw new InvalidArgumentError('It must be a number from 0.01 to 1000.')
}

async function main(argv: readonly string[]): Promise<number> {
  const flags = parseFlags(argv)
  const recognizer = RECOGNIZERS[flags.recognizer](flags)
  const standin = await startStandin({
    recognizer,
    port: flags.port,
    key: flags.key ?? null,
    modelId: flags.model,
    maxModelLen: flags.maxModelLen,
    maxNumSeqs: flags.maxNumSeqs,
    version: flags.vllm,
    gpu: flags.gpu ?? null,
    blocks: flags.blocks ?? null,
    blockTokens: flags.blockSize ?? null,
    timeScale: flags.timeScale,
    faults: flags.fault,
  })
  closeWhenTold(standin, flags.exitWithStdin)
  const listening = {
    event: 'listening',
    url: standin.url,
    port: standin.port,
    recognizer: recognizer.name,
    delta_delay_ms: recognizer.deltaDelayMs,
    standin: true,
  }
  process.stdout.write(`${JSON.stringify(listening)}\n`)
  if ((await standin.ended) === 'closed') return 0
  process.stderr.write('The stand-in engine died by one of its faults.\n')
  await standin.close()
  return 1
}

function closeWhenTold(standin: Standin, withStdin: boolean): void {
  let told = false
  const tell = () => {
    // A second signal ends the process at once, without waiting for clients to close.
    if (told) process.exit(130)
    told = true
    void standin.close()
  }
  process.on('SIGTERM', tell)
  process.on('SIGINT', tell)
  if (!withStdin) return
  process.stdin.on('error', () => void standin.close())
  process.stdin.on('close', () => void standin.close())
  process.stdin.resume()
}

/** Exit code of a failed start: 2 when the operator must change something, 70 for a bug. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0
    process.stderr.write(`standin: ${error.message.replace(/^error: /, '')}\n`)
    return 2
  }
  process.stderr.write(`standin: ${reasonOf(error)}\n`)
  return error instanceof ConfigError ? 2 : 70
}

// Errors of a closed stdout or stderr are ignored: the stand-in serves its clients all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
process.exitCode = await main(process.argv.slice(2)).catch(exitCodeOf)
// Ends the process even if stdin is still open, which alone would keep it alive.
process.exit()
