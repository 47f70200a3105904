/** Samples per second of flite's voices, and of everything composed here. */
export const composeRate = 16_000

/** A stretch of speech, where it begins, and the channels that it is heard in. */
export interface PlacedSpeech {
  /** 16 kHz, one channel. */
  samples: Int16Array
  startSample: number
  /** 0-based; absent: in all channels. */
  channel?: number | undefined
}

/**
 * Lays speech over the quiet noise of a room, the same noise every time. Pure.
 *
 * @returns interleaved 16-bit samples
 */
export function composeSpeech(
  speech: readonly PlacedSpeech[],
  options: { durationSamples: number; channelCount: number; hasRoomTone: boolean },
): Int16Array {
  const { durationSamples, channelCount, hasRoomTone } = options
  const room = new Int16Array(durationSamples * channelCount)
  const noise = hasRoomTone ? roomTone() : roomNoise()
  for (let index = 0; index < room.length; index += 1) room[index] = noise()
  for (const { samples, startSample, channel } of speech) {
    for (let index = 0; index < samples.length; index += 1) {
      for (let lane = 0; lane < channelCount; lane += 1) {
        if (channel !== undefined && channel !== lane) continue
        const at = (startSample + index) * channelCount + lane
        room[at] = clamp((room[at] ?? 0) + (samples[index] ?? 0))
      }
    }
  }
  return room
}

/** About -66 dBFS, so that no encoder meets digital zeros. */
function roomNoise(): () => number {
  const amplitude = 28
  const noise = whiteNoise(0x2f6e2b1)
  return () => Math.round(noise() * amplitude)
}

/** About -50 dBFS: a fan, which is noise without its heights, and the hum of the mains. */
function roomTone(): () => number {
  const fanAmplitude = 900
  const humAmplitude = 40
  const humHz = 100
  const noise = whiteNoise(0x51f3a7)
  let fan = 0
  let sample = 0
  return () => {
    fan += 0.08 * (noise() - fan)
    sample += 1
    const hum = Math.sin((2 * Math.PI * humHz * sample) / composeRate)
    return Math.round(fan * fanAmplitude + hum * humAmplitude)
  }
}

/** A cough: two bursts of noise that die away, the second one longer. Pure. */
export function cough(seed: number): Int16Array {
  const bursts = [
    { fromMs: 0, lengthMs: 130, decayMs: 45, amplitude: 15_000 },
    { fromMs: 190, lengthMs: 260, decayMs: 80, amplitude: 11_000 },
  ]
  const noise = whiteNoise(seed)
  const samples = new Int16Array(composeRate / 2)
  let throat = 0
  for (const { fromMs, lengthMs, decayMs, amplitude } of bursts) {
    const from = (fromMs * composeRate) / 1000
    for (let index = 0; index < (lengthMs * composeRate) / 1000; index += 1) {
      throat += 0.35 * (noise() - throat)
      const loudness = Math.exp(-(index * 1000) / composeRate / decayMs)
      samples[from + index] = Math.round(throat * amplitude * loudness)
    }
  }
  return samples
}

/** From -1 to 1, the same for a seed; a linear congruential generator. */
function whiteNoise(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  }
}

function clamp(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, sample))
}
