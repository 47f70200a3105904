import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { engineKit } from './engine/engine-kit.js'
import { engineLimits, engineUnderTest } from './engine/engine-under-test.js'
import { misfit, PARTS } from './engine/parts.js'

/**
 * The engine suite: `npm run test:engine`, against the vLLM that NIGHTSCRIBE_TEST_ENGINE names, and
 * against one that is started from NIGHTSCRIBE_ENGINE_KIT, and killed.
 */
export default defineConfig(async () => ({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: (await partsToRun()).map((name) => `test/conformance/engine/${name}.engine.ts`),
    passWithNoTests: true,
    fileParallelism: false,
    testTimeout: 600_000,
    maxConcurrency: 6,
  },
}))

async function partsToRun(): Promise<string[]> {
  const engine = engineUnderTest()
  const kit = engineKit()
  if (!engine && !kit) {
    say(
      'The engine suite is skipped: NIGHTSCRIBE_TEST_ENGINE names no engine to test against, and ' +
        'NIGHTSCRIBE_ENGINE_KIT no kit that starts one.',
    )
    return []
  }
  const limits = engine && (await engineLimits(engine))
  return Object.entries(PARTS).flatMap(([name, wants]) => {
    const why = misfit(wants, { limits, kit })
    if (why === null) return [name]
    say(`Not run: ${name}; ${why}.`)
    return []
  })
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
