import { type FileHandle, open, rm } from 'node:fs/promises'
import path from 'node:path'
import pLimit from 'p-limit'
import { orAbort } from '../../kernel/abort.js'
import { reasonOf, systemCode, UpstreamError } from '../../kernel/errors.js'
import { FRAME_BYTES, SAMPLE_BYTES } from '../../model/pcm.js'
import type { LegRange, LegReader, MediaSource, SpooledLeg } from '../index.js'
import type { MediaTools } from '../media-tools.js'
import { decodeLeg } from './audio-leg.js'
import { SpoolBudget } from './spool-budget.js'

/** Limits that all legs of a spool share. */
export interface LegSpoolOptions {
  tools: MediaTools
  /** Most decodes at a time; it doesn't limit the sessions that read legs. */
  decodesMax: number
  /** Most bytes of PCM of all legs together; a leg that doesn't fit waits. */
  spoolBytesMax: number
}

/**
 * Keeps legs as files of PCM in the spool folder, decoded at full speed before they are replayed.
 *
 * A leg waits for room, then for a free decode, is decoded, and is open. `openLeg` resolves when
 * all its samples are on disk, so that an error of storage can't interrupt the replay. Disposing a
 * leg removes its file.
 */
export class LegSpool implements LegReader {
  private readonly tools: MediaTools
  private readonly budget: SpoolBudget
  private readonly decodeSlot: ReturnType<typeof pLimit>

  constructor(options: LegSpoolOptions) {
    this.tools = options.tools
    this.budget = new SpoolBudget(options.spoolBytesMax)
    this.decodeSlot = pLimit(options.decodesMax)
  }

  /** PCM bytes that are spooled or being decoded. */
  get bytesUsed(): number {
    return this.budget.bytesUsed
  }

  /**
   * @throws what `decodeLeg` throws; ConfigError when the leg is larger than the whole spool;
   *   UpstreamError `output_write_failed` when the disk is full or broken; the signal's reason
   */
  async openLeg(
    flac: MediaSource,
    range: LegRange,
    { signal }: { signal: AbortSignal },
  ): Promise<SpooledLeg> {
    const samples = range.endSample - range.startSample
    const room = await this.budget.reserve(Math.max(0, samples) * SAMPLE_BYTES, { signal })
    const file = path.join(this.tools.spoolDir, `leg-${this.tools.random.hexId(8)}.pcm`)
    try {
      await this.inSlot(() => this.decode({ flac, range, file }, signal), signal)
      return new OpenLeg(await open(file, 'r'), { file, samples, room })
    } catch (error) {
      await rm(file, { force: true })
      room[Symbol.dispose]()
      throw error
    }
  }

  /**
   * Runs a decode in a free slot. An abort ends the wait at once, and a decode once ffmpeg ended.
   */
  private async inSlot(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const done = this.decodeSlot(async () => {
      signal.throwIfAborted()
      begin()
      await work()
    })
    // After an abort no code waits for `done`: its error would otherwise end the process.
    done.catch(() => {})
    await orAbort(Promise.race([begun, done]), signal)
    await done
  }

  private async decode(
    leg: { flac: MediaSource; range: LegRange; file: string },
    signal: AbortSignal,
  ): Promise<void> {
    const written = await writing(leg.file, open(leg.file, 'wx', 0o600))
    try {
      const request = { tools: this.tools, flac: leg.flac, range: leg.range }
      const sink = (pcm: Uint8Array) => writing(leg.file, writeAll(written, pcm))
      await decodeLeg(request, sink, { signal })
    } finally {
      await written.close()
    }
  }
}

async function writeAll(file: FileHandle, pcm: Uint8Array): Promise<void> {
  for (let at = 0; at < pcm.length; ) {
    at += (await file.write(pcm, at, pcm.length - at)).bytesWritten
  }
}

async function writing<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const full = systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT'
    const folder = path.dirname(file)
    throw new UpstreamError(
      'output_write_failed',
      full
        ? `There is no space left in ${folder}; free some, or lower media.spoolBytesMax.`
        : `The spool folder ${folder} can't be written (${reasonOf(error)}); mend it or set ` +
            'stateDir to another folder.',
      { effect: 'none', cause: error },
    )
  }
}

/** Frames read from disk at a time: 2 s, 64 kB. A leg holds at most two such blocks. */
const BLOCK_FRAMES = 25
const BLOCK_BYTES = BLOCK_FRAMES * FRAME_BYTES

/** Open: frames can be read, and the next block is being read ahead. Closed: the file is gone. */
class OpenLeg implements SpooledLeg {
  readonly samples: number
  readonly frameCount: number
  private readonly handle: FileHandle
  private readonly file: string
  private readonly room: Disposable
  private readonly blocks = new Map<number, Promise<Buffer>>()
  private closed = false

  constructor(
    handle: FileHandle,
    { file, samples, room }: { file: string; samples: number; room: Disposable },
  ) {
    this.handle = handle
    this.file = file
    this.room = room
    this.samples = samples
    this.frameCount = Math.ceil((samples * SAMPLE_BYTES) / FRAME_BYTES)
    // Read ahead: `readFrame(0)` waits for the same promise and throws its error.
    this.block(0).catch(() => {})
  }

  async *frames(options: { signal: AbortSignal }): AsyncGenerator<Uint8Array, void, void> {
    for (let index = 0; index < this.frameCount; index += 1) {
      yield await this.readFrame(index, options)
    }
  }

  async readFrame(index: number, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
    signal.throwIfAborted()
    if (this.closed || !Number.isInteger(index) || index < 0 || index >= this.frameCount) {
      throw new RangeError(`frame ${index} of ${this.frameCount} can't be read`)
    }
    const blockIndex = Math.floor(index / BLOCK_FRAMES)
    const block = this.block(blockIndex)
    for (const known of this.blocks.keys()) {
      if (known !== blockIndex && known !== blockIndex + 1) this.blocks.delete(known)
    }
    const hasNext = (blockIndex + 1) * BLOCK_FRAMES < this.frameCount
    // Read ahead: an error is thrown when that block is needed.
    if (hasNext) this.block(blockIndex + 1).catch(() => {})
    const at = (index % BLOCK_FRAMES) * FRAME_BYTES
    return (await orAbort(block, signal)).subarray(at, at + FRAME_BYTES)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return
    this.closed = true
    await Promise.allSettled(this.blocks.values())
    this.blocks.clear()
    await this.handle.close()
    await rm(this.file, { force: true })
    this.room[Symbol.dispose]()
  }

  private block(blockIndex: number): Promise<Buffer> {
    const known = this.blocks.get(blockIndex)
    if (known) return known
    const startByte = blockIndex * BLOCK_BYTES
    const bytes = Math.min(BLOCK_BYTES, this.samples * SAMPLE_BYTES - startByte)
    const block = this.readBlock(startByte, bytes)
    this.blocks.set(blockIndex, block)
    return block
  }

  private async readBlock(startByte: number, bytes: number): Promise<Buffer> {
    const block = Buffer.allocUnsafe(bytes)
    for (let at = 0; at < bytes; ) {
      const { bytesRead } = await this.handle.read(block, at, bytes - at, startByte + at)
      if (bytesRead === 0) {
        throw new UpstreamError(
          'output_write_failed',
          `${this.file} was shortened while it was replayed; let nothing else use that folder.`,
          { effect: 'none' },
        )
      }
      at += bytesRead
    }
    return block
  }
}
