import { writeFile } from 'node:fs/promises'

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
  let at = 44
  for (let frame = 0; frame < frames; frame++) {
    for (const channel of channels) at = wav.writeInt16LE(channel[frame] as number, at)
  }
  await writeFile(path, wav)
}
