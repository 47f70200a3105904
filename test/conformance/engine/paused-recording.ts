import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { whiteNoise } from '../../fakes/tone-noise.js'
import { writeWav } from '../../fakes/tone-wav.js'

const SAMPLE_RATE = 16_000
/** Above the level detector's gate by far; the engine of the suite hears nothing anyhow. */
const LOUD_RMS = 3_000

/** A recording that is loud and silent by turns, as a WAV file. */
export async function pausedRecording(options: {
  seed: number
  durationMs: number
  /** From the beginning of one pause to that of the next. */
  everyMs: number
  /** The last part of `everyMs`. */
  pauseMs: number
}): Promise<Buffer> {
  const { seed, durationMs, everyMs, pauseMs } = options
  const samplesOf = (ms: number) => (ms * SAMPLE_RATE) / 1000
  const samples = whiteNoise({ seed, samples: samplesOf(durationMs), rms: LOUD_RMS })
  for (let fromMs = everyMs - pauseMs; fromMs < durationMs; fromMs += everyMs) {
    samples.fill(0, samplesOf(fromMs), samplesOf(fromMs + pauseMs))
  }
  const folder = await mkdtemp(join(tmpdir(), 'nightscribe-paused-'))
  try {
    const path = join(folder, 'paused.wav')
    await writeWav(path, [samples], SAMPLE_RATE)
    return await readFile(path)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
