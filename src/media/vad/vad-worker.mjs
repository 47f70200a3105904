/**
 * Runs the Silero model in a worker thread. JavaScript, because a worker can't be started from
 * TypeScript on Node 20; `silero-vad.ts` starts it by its path in `src/`, also from `dist/`.
 *
 * Messages in: `{ kind: 'slice', lane, pcm: Int16Array, last }`, in order for each lane; every
 * slice but the last holds whole windows. `{ kind: 'drop', lane }` ends a lane early. Messages out:
 * `{ kind: 'ready' }` or `{ kind: 'unavailable', reason }` once; for every slice `{ kind: 'mask',
 * lane, mask: Uint8Array }` with one byte a window.
 */
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const WINDOW_SAMPLES = 512
const BUFFER_SECONDS = 30
/** Windows of speech (19 s) after which the library is flushed, so that its buffer stays small. */
const RUN_WINDOWS_MAX = 600

const { modelPath, threshold } = workerData
/** @type {Map<number, { vad: object, run: number }>} */
const lanes = new Map()
/** Detectors of finished lanes, kept for new lanes; each holds the model (a few MB). */
const idle = []

/** @returns {new (config: object, bufferSeconds: number) => object} */
function loadDetector() {
  return createRequire(import.meta.url)('sherpa-onnx-node').Vad
}

function start() {
  try {
    const Detector = loadDetector()
    idle.push(newDetector(Detector))
    parentPort.on('message', (message) => handle(message, Detector))
    parentPort.postMessage({ kind: 'ready' })
  } catch (error) {
    parentPort.postMessage({ kind: 'unavailable', reason: String(error?.message ?? error) })
  }
}

function newDetector(Detector) {
  // Minimum durations are 1 ms (0 would mean the library's default), so that each window is
  // reported as the model classifies it: `speech-map.ts` applies the bounds. The library takes
  // seconds.
  const sileroVad = {
    model: modelPath,
    threshold,
    minSilenceDuration: 0.001,
    minSpeechDuration: 0.001,
    maxSpeechDuration: 100_000,
    windowSize: WINDOW_SAMPLES,
  }
  const config = { sileroVad, sampleRate: 16_000, numThreads: 1, provider: 'cpu', debug: false }
  return new Detector(config, BUFFER_SECONDS)
}

function handle(message, Detector) {
  if (message.kind === 'slice') {
    const lane = lanes.get(message.lane) ?? { vad: idle.pop() ?? newDetector(Detector), run: 0 }
    lanes.set(message.lane, lane)
    const mask = maskOf(lane, message.pcm)
    if (message.last) release(message.lane)
    parentPort.postMessage({ kind: 'mask', lane: message.lane, mask }, [mask.buffer])
  } else release(message.lane)
}

function release(laneId) {
  const lane = lanes.get(laneId)
  if (!lane) return
  lanes.delete(laneId)
  lane.vad.reset()
  idle.push(lane.vad)
}

function maskOf(lane, pcm) {
  const windows = Math.ceil(pcm.length / WINDOW_SAMPLES)
  const mask = new Uint8Array(windows)
  for (let index = 0; index < windows; index += 1) {
    const samples = new Float32Array(WINDOW_SAMPLES)
    const from = index * WINDOW_SAMPLES
    const count = Math.min(WINDOW_SAMPLES, pcm.length - from)
    for (let at = 0; at < count; at += 1) samples[at] = pcm[from + at] / 32_768
    lane.vad.acceptWaveform(samples)
    mask[index] = lane.vad.isDetected() ? 1 : 0
    lane.run = mask[index] ? lane.run + 1 : 0
    if (lane.run >= RUN_WINDOWS_MAX) {
      lane.vad.flush()
      lane.run = 0
    }
    while (!lane.vad.isEmpty()) lane.vad.pop()
  }
  return mask
}

start()
