import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/longest-first.js'

/**
 * What keeps every word. Not the files that are a socket or a Redis: those have contract and
 * integration suites.
 */
const PROVEN = [
  'src/model/*.ts',
  'src/admission/**/!(redis-*).ts',
  'src/realtime/!(ws-transport).ts',
  'src/engines/{engine-codec,engine-health,engine-metrics,engine-monitor}.ts',
  'src/engines/{prometheus-text,warm-up}.ts',
  'src/transcript/**/*.ts',
  'src/pipeline/checkpoint/*.ts',
  'src/pipeline/legs/{leg-record,lane-progress}.ts',
  'src/pipeline/replay/{carry-lane,carry-lanes,lane-starts}.ts',
  'src/pipeline/lifecycle/attempt-fence.ts',
]

/** Files whose tests compute: as many beside each other as there are cores. */
const COMPUTING = ['test/unit/**/*.test.ts', 'test/sim/**/*.test.ts', 'test/tidy.test.ts']
/** Files whose tests wait for sockets, processes and clocks, most of the time: so many a core. */
const WAITING_PER_CORE = 3
/** They put another module in the place of one, which no other file may see. */
const MOCKING = ['test/integration/disk-full.test.ts']
/** A minute of computing: three hours of audio. */
const LONG = ['test/integration/rotation-3h.test.ts']

/**
 * Files that are run together. Those of one process share its modules: loading them anew for each
 * of 240 files would be a third of all work.
 */
function project(
  name: string,
  include: string[],
  how: { maxWorkers: number; groupOrder: number; exclude?: string[]; isolate?: boolean },
) {
  const { maxWorkers, groupOrder, exclude = [], isolate = false } = how
  return {
    test: {
      ...{ name, include, exclude, maxWorkers, isolate },
      pool: 'forks' as const,
      sequence: { groupOrder },
      // These end what hangs; nothing is judged by them, on however slow a machine.
      testTimeout: 300_000,
      hookTimeout: 300_000,
      teardownTimeout: 10_000,
    },
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      project('computing', COMPUTING, { maxWorkers: availableParallelism(), groupOrder: 1 }),
      // The engine suite has a configuration of its own: it needs a running vLLM.
      project('waiting', ['test/**/*.test.ts'], {
        ...{ exclude: [...COMPUTING, ...MOCKING, ...LONG], groupOrder: 0 },
        maxWorkers: WAITING_PER_CORE * availableParallelism(),
      }),
      project('mocking', MOCKING, {
        ...{ isolate: true, groupOrder: 0 },
        maxWorkers: WAITING_PER_CORE * availableParallelism(),
      }),
      // Not in `npm test`: `npm run test:long`, and `.ci/run`.
      project('long', LONG, { maxWorkers: availableParallelism(), groupOrder: 2 }),
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'jobs/**/*.ts', 'gpu/**/*.ts'],
      // For unit and simulator tests alone: see the README of `src`.
      thresholds: Object.fromEntries(PROVEN.map((files) => [files, { branches: 95 }])),
    },
  },
})
