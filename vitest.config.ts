import { defineConfig } from 'vitest/config'

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

export default defineConfig({
  test: {
    // The engine suite has a configuration of its own: it needs a running vLLM.
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Two cores are enough for two files at a time: most of their time is waiting.
    maxWorkers: 2,
    // These end what hangs; nothing is judged by them, on however slow a machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 10_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts', 'jobs/**/*.ts', 'gpu/**/*.ts'],
      // For unit and simulator tests alone: see the README of `src`.
      thresholds: Object.fromEntries(PROVEN.map((files) => [files, { branches: 95 }])),
    },
  },
})
