import assert from 'node:assert/strict'
import { parentPort, workerData } from 'node:worker_threads'
import { runSeed, type SeedWish } from './seed-run.js'

/** A thread of the simulator: is told seeds, tells what became of each, and asks for more. */
const wish = workerData as SeedWish
const port = parentPort
assert.ok(port, 'the simulator starts its threads')

port.on('message', async ({ first, until }: { first: number; until: number }) => {
  for (let seed = first; seed < until; seed += 1) port.postMessage(await runSeed(seed, wish))
  port.postMessage('ready')
})
port.postMessage('ready')
