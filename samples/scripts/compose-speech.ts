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
  options: { durationSamples: number; channelCount: number },
): Int16Array {
  const { durationSamples, channelCount } = options
  const room = new Int16Array(durationSamples * channelCount)
  const noise = roomNoise()
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

/** About -66 dBFS, so that no encoder meets digital zeros; a linear congruential generator. */
function roomNoise(): () => number {
  const amplitude = 28
  let state = 0x2f6e2b1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.round((state / 2 ** 31 - 1) * amplitude)
  }
}

function clamp(sample: number): number {
  return Math.max(-32_768, Math.min(32_767, sample))
}
