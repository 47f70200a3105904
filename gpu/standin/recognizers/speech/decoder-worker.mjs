/**
 * Decodes utterances with a speech model of sherpa-onnx in a worker thread. JavaScript, because a
 * worker can't be started from TypeScript on Node 20; `decoder-thread.ts` starts it.
 *
 * `workerData` is `modelConfig` of sherpa-onnx. Messages in: `{ samples: Float32Array }`, mono at
 * 16 kHz, from -1 to 1. Messages out: `{ kind: 'ready' }` or `{ kind: 'unavailable', reason }`
 * once; for every utterance `{ kind: 'decoded', text, tokens }`, in order.
 */
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const SAMPLE_RATE = 16_000

function start() {
  try {
    const { OfflineRecognizer } = createRequire(import.meta.url)('sherpa-onnx-node')
    const featConfig = { sampleRate: SAMPLE_RATE, featureDim: 80 }
    const recognizer = new OfflineRecognizer({ featConfig, modelConfig: workerData })
    parentPort.on('message', ({ samples }) => {
      const stream = recognizer.createStream()
      stream.acceptWaveform({ sampleRate: SAMPLE_RATE, samples })
      recognizer.decode(stream)
      const { text, tokens } = recognizer.getResult(stream)
      parentPort.postMessage({ kind: 'decoded', text, tokens: tokens?.length ?? 0 })
    })
    parentPort.postMessage({ kind: 'ready' })
  } catch (error) {
    parentPort.postMessage({ kind: 'unavailable', reason: String(error?.message ?? error) })
  }
}

start()
