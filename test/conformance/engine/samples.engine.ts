import { describe, expect, it } from 'vitest'
import { readSamples } from '../../../src/cli/stack/samples.js'
import { projectRoot } from '../../../src/config/project-root.js'
import { deltasTotal } from '../../../src/model/step-law.js'
import { submitRecording } from '../../../src/pipeline/intake/submit-recording.js'
import { readManifest } from '../../../src/pipeline/result/commit-result.js'
import { readOutput } from '../../../src/pipeline/result/read-output.js'
import { startDevStack } from '../../dev-stack.js'
import { requireEngine } from './engine-under-test.js'

const signal = new AbortController().signal

/** Sessions at once that a CPU build carries at pace 1 beside everything else on two cores. */
const SESSIONS_MAX = 6

describe('our own client and a real engine', () => {
  it('carry all good samples at pace 1, with every step counted', async () => {
    const { address, key } = requireEngine()
    await using stack = await startDevStack({
      engines: [`${address}/v1/realtime`],
      engineKey: key,
      engine: { sessionsMax: SESSIONS_MAX },
    })
    const { ports } = stack
    await stack.startWorker()
    const jobs: { name: string; jobId: string }[] = []
    for (const sample of await readSamples(projectRoot(), ports.store, { signal })) {
      const source = await sample.locate()
      const options = { pace: 1, priority: 0, deadlineAt: null, tenant: 'default' } as const
      const submission = { ...source, ...options, name: sample.name, channels: sample.channels }
      const { jobId } = await submitRecording(ports, submission, { signal })
      jobs.push({ name: sample.name, jobId })
    }
    const records = await stack.ended(jobs.map(({ jobId }) => jobId))
    for (const [index, { name, jobId }] of jobs.entries()) {
      const record = records[index]
      if (name.includes('broken')) {
        expect(record, name).toMatchObject({ status: 'failed', error: { retryable: false } })
        continue
      }
      expect({ ...record, name }).toMatchObject({
        error: null,
        attempt: 1,
        engineIsStandin: false,
      })
      const manifest = await readManifest(ports.store, jobId, { signal })
      const output = manifest?.outputs.find((entry) => entry.name === 'transcript.json')
      const stored = JSON.parse(
        (await readOutput(ports, output?.key ?? name, { signal })).toString(),
      )
      // `verified`: deltas received, usage and the law of steps were equal in every leg.
      expect(stored.timing, name).toMatchObject({ method: 'token-step', verified: true })
      for (const leg of stored.legs) {
        expect(leg.deltas, name).toBe(deltasTotal(Math.round(leg.end * 16_000)))
      }
      expect(stored.engine, name).toMatchObject({ is_standin: false })
      expect(stored.engine.server_version, name).toMatch(/^\d+\.\d+/)
      const ends = stored.words.map((word: { end: number }) => word.end)
      expect(
        ends.every((end: number) => end <= stored.duration + 0.001),
        name,
      ).toBe(true)
    }
  })
})
