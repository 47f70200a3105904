/**
 * Talks like `decoder-worker.mjs`: the one word that it writes says how many samples the utterance
 * had. Fails over 666 samples always and over 668 the first time, falls asleep over 670, and takes
 * its time over more than 60,000. `workerData` is the folder where it notes its starts.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

const { folder, broken } = workerData
const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

appendFileSync(`${folder}/starts`, 'started\n')
parentPort.on('message', ({ samples: { length } }) => {
  if (length === 666) throw new Error('broken by 666')
  if (length === 668 && !existsSync(`${folder}/died`)) {
    writeFileSync(`${folder}/died`, '')
    process.exit(3)
  }
  if (length === 670) appendFileSync(`${folder}/starts`, 'asleep\n')
  if (length === 670) wait(600_000)
  if (length > 60_000) wait(500)
  parentPort.postMessage({ kind: 'decoded', text: ` w${length}`, tokens: 2 })
})
if (broken) parentPort.postMessage({ kind: 'unavailable', reason: broken })
else parentPort.postMessage({ kind: 'ready' })
