import { writeFile } from 'node:fs/promises'

/** Samples as they stand in the file; typed arrays are little-endian wherever Node runs. */
function interleaved(channels: readonly Int16Array[], frames: number): Int16Array {
  const samples = new Int16Array(frames * channels.length)
  for (const [index, channel] of channels.entries()) {
    for (let frame = 0; frame < frames; frame++) {
      samples[frame * channels.length + index] = channel[frame] as number
    }
  }
  return samples
}

/**
 * Writes 16-bit PCM as a RIFF/WAVE file, one array per channel.
 * @throws RangeError when there is no channel, or they differ in length
 */
export async function writeWav(
  path: string,
  channels: readonly Int16Array[],
  sampleRate: number,
): Promise<void> {
  const frames = channels[0]?.length
  if (frames === undefined || channels.some((channel) => channel.length !== frames)) {
    throw new RangeError('A WAV file needs one channel or more, all of the same length.')
  }
  const frameBytes = 2 * channels.length
  const wav = Buffer.alloc(44 + frames * frameBytes)
  wav.write('RIFF', 0, 'latin1')
  wav.writeUInt32LE(wav.length - 8, 4)
  wav.write('WAVEfmt ', 8, 'latin1')
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20) // plain PCM
  wav.writeUInt16LE(channels.length, 22)
  wav.writeUInt32LE(sampleRate, 24)
  wav.writeUInt32LE(sampleRate * frameBytes, 28)
  wav.writeUInt16LE(frameBytes, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36, 'latin1')
  wav.writeUInt32LE(frames * frameBytes, 40)
  wav.set(new Uint8Array(interleaved(channels, frames).buffer), 44)
  await writeFile(path, wav)
}
