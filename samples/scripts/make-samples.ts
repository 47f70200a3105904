/**
 * Makes `samples/audio`, `samples/references` and `samples/README.md`: `npm run samples`.
 * Needs flite and ffmpeg.
 */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brokenRecording } from './broken-recording.js'
import { composeRate, composeSpeech, type PlacedSpeech } from './compose-speech.js'
import { type MadeSample, readmeOf, referenceOf } from './sample-index.js'
import { samplePlans } from './sample-plans.js'
import type { SamplePlan, Utterance } from './speech-plan.js'

const samplesFolder = fileURLToPath(new URL('../', import.meta.url))
const leadInMs = 500
/** Slower than flite speaks by itself; recognizers hear it better. */
const durationStretch = '1.1'

const run = promisify(execFile)
const samplesIn = (durationMs: number) => Math.round((durationMs * composeRate) / 1000)

async function speak(utterance: Utterance, folder: string): Promise<Int16Array> {
  const wavPath = join(folder, 'utterance.wav')
  const stretch = ['--setf', `duration_stretch=${durationStretch}`]
  const { voice, text } = utterance
  await run('flite', ['-voice', voice, ...stretch, '-t', text, '-o', wavPath])
  const pcmArgs = ['-ar', String(composeRate), '-ac', '1', '-f', 's16le', 'pipe:1']
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-i', wavPath, ...pcmArgs], {
    encoding: 'buffer',
    maxBuffer: 64 * 2 ** 20,
  })
  return new Int16Array(new Uint8Array(stdout).buffer)
}

async function speechOf(plan: SamplePlan, folder: string): Promise<Int16Array> {
  const placed: PlacedSpeech[] = []
  let atSample = samplesIn(leadInMs)
  for (const utterance of plan.utterances) {
    const samples = await speak(utterance, folder)
    placed.push({ samples, startSample: atSample, channel: utterance.channel })
    atSample += samples.length + samplesIn(utterance.pauseMs)
  }
  const durationSamples = plan.silenceMs === undefined ? atSample : samplesIn(plan.silenceMs)
  return composeSpeech(placed, { durationSamples, channelCount: plan.channelCount })
}

/** A test picture as long as the sound, of which the recording then consists. */
function pictureArgs(durationS: number): string[] {
  const picture = `testsrc=size=160x90:rate=5:duration=${durationS.toFixed(3)}`
  return ['-f', 'lavfi', '-i', picture, '-map', '0:a', '-map', '1:v']
}

/** Same input, same bytes: one thread, no encoder versions, no times. */
function encodeArgs(plan: SamplePlan, pcm: Int16Array, output: string): string[] {
  const durationS = pcm.length / plan.channelCount / composeRate
  const rate = ['-ar', String(composeRate), '-ac', String(plan.channelCount)]
  const sound = ['-f', 's16le', ...rate, '-i', 'pipe:0']
  const input = plan.withPicture === true ? [...sound, ...pictureArgs(durationS)] : sound
  const exact = ['-threads', '1', '-fflags', '+bitexact', '-flags', '+bitexact']
  return ['-v', 'error', '-y', ...input, ...plan.encode, ...exact, '-map_metadata', '-1', output]
}

function encode(plan: SamplePlan, pcm: Int16Array, path: string): Promise<void> {
  const output = plan.piped === true ? 'pipe:1' : path
  return new Promise((resolve, reject) => {
    const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit']
    const child = spawn('ffmpeg', encodeArgs(plan, pcm, output), { stdio })
    const chunks: Buffer[] = [] // a piped sample is small
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      if (code !== 0) reject(new Error(`ffmpeg ended with code ${code} for ${plan.fileName}`))
      else if (plan.piped === true) writeFile(path, Buffer.concat(chunks)).then(resolve, reject)
      else resolve()
    })
    child.stdin.end(Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength))
  })
}

async function makeSample(plan: SamplePlan, folder: string): Promise<MadeSample> {
  const path = join(samplesFolder, 'audio', plan.fileName)
  let durationMs: number | null = null
  if (plan.expect === 'error') {
    await writeFile(path, brokenRecording)
  } else {
    const pcm = await speechOf(plan, folder)
    durationMs = (pcm.length / plan.channelCount / composeRate) * 1000
    await encode(plan, pcm, path)
  }
  await writeFile(join(samplesFolder, 'references', `${plan.name}.json`), referenceOf(plan))
  const content = await readFile(path)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { plan, durationMs, bytes: content.length, sha256 }
}

const folder = await mkdtemp(join(tmpdir(), 'nightscribe-samples-'))
try {
  const made: MadeSample[] = []
  for (const name of ['audio', 'references']) {
    await mkdir(join(samplesFolder, name), { recursive: true })
  }
  for (const plan of samplePlans) {
    const sample = await makeSample(plan, folder)
    made.push(sample)
    process.stdout.write(`${plan.fileName}: ${Math.ceil(sample.bytes / 1000)} kB\n`)
  }
  await writeFile(join(samplesFolder, 'README.md'), readmeOf(made))
  // What is written here is checked like everything else, so the same formatter lays it out.
  const written = ['references', 'README.md'].map((name) => join(samplesFolder, name))
  await run('npx', ['biome', 'format', '--write', ...written])
} finally {
  await rm(folder, { recursive: true, force: true })
}
