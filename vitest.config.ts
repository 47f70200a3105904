import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // The engine suite has a configuration of its own: it needs a running vLLM.
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    // Hooks start real servers.
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts', 'jobs/**/*.ts', 'gpu/**/*.ts'] },
  },
})
