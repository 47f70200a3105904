import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { whiteNoise } from '../../fakes/tone-noise.js'
import { writeWav } from '../../fakes/tone-wav.js'

const SAMPLE_RATE = 16_000
/** Above the level detector's gate by far; the engine of the suite hears nothing anyhow. */
const LOUD_RMS = 3_000
/** Silence to the detector, and yet no two frames of it are the same. */
const HUSHED_RMS = 4
/** Of the RIFF header that `writeWav` writes. */
const HEADER_BYTES = 44

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
  const hushed = whiteNoise({ seed, samples: samplesOf(durationMs), rms: HUSHED_RMS })
  for (let fromMs = everyMs - pauseMs; fromMs < durationMs; fromMs += everyMs) {
    const [from, until] = [samplesOf(fromMs), samplesOf(fromMs + pauseMs)]
    samples.set(hushed.subarray(from, until), from)
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

/** The samples of such a file, as PCM16. */
export function pcmOf(wav: Buffer): Uint8Array {
  return wav.subarray(HEADER_BYTES)
}
