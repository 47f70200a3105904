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
import { composeRate, composeSpeech, cough, type PlacedSpeech } from './compose-speech.js'
import { type MadeSample, readmeOf, referenceOf } from './sample-index.js'
import { samplePlans } from './sample-plans.js'
import { type SpokenUtterance, speak, withOverlaps } from './speak.js'
import type { SamplePlan } from './speech-plan.js'

const samplesFolder = fileURLToPath(new URL('../', import.meta.url))
const leadInMs = 500

const run = promisify(execFile)
const samplesIn = (durationMs: number) => Math.round((durationMs * composeRate) / 1000)

/** The sound of a plan, and what is said in it when. */
async function speechOf(plan: SamplePlan, folder: string) {
  const placed: PlacedSpeech[] = []
  const spoken: SpokenUtterance[] = []
  let atSample = samplesIn(leadInMs)
  for (const each of plan.utterances) {
    if ('text' in each) {
      const { samples, wordEndsMs } = await speak(each, folder)
      const { text, channel } = each
      placed.push({ samples, startSample: atSample, channel })
      const startMs = Math.round((atSample * 1000) / composeRate)
      const endsMs = wordEndsMs.map((endMs) => startMs + endMs)
      spoken.push({ text, channel: channel ?? null, startMs, wordEndsMs: endsMs, overlaps: false })
      atSample += samples.length
    } else {
      const samples = cough(each.coughSeed)
      placed.push({ samples, startSample: atSample })
      atSample += samples.length
    }
    atSample += samplesIn(each.pauseMs)
  }
  const durationSamples = plan.silenceMs === undefined ? atSample : samplesIn(plan.silenceMs)
  const { channelCount, hasRoomTone = false } = plan
  const pcm = composeSpeech(placed, { durationSamples, channelCount, hasRoomTone })
  return { pcm, spoken: withOverlaps(spoken) }
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
  let spoken: SpokenUtterance[] = []
  if (plan.expect === 'error') {
    await writeFile(path, brokenRecording)
  } else {
    const speech = await speechOf(plan, folder)
    const { pcm } = speech
    spoken = speech.spoken
    durationMs = (pcm.length / plan.channelCount / composeRate) * 1000
    await encode(plan, pcm, path)
  }
  await writeFile(join(samplesFolder, 'references', `${plan.name}.json`), referenceOf(plan, spoken))
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
