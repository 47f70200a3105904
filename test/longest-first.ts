import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take longest by themselves, the longest one first. */
const LONGEST = [
  'takeover',
  'engine-recovery',
  'chaos',
  'sweep',
  'pipeline',
  'cli',
  'admission-workers',
  'engine-pool-failover',
  'late-completion',
  'redis-faults',
  'coverage-audit',
  'dead-letter',
  's3-faults',
  'session-recovery',
  'night-forecast',
  'nights',
]

/**
 * Starts the files first that take longest: one that begins last keeps a whole run waiting. A clean
 * checkout has no times of an earlier run to go by.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return at < 0 ? LONGEST.length : at
    }
    return sorted.sort((one, other) => rank(one) - rank(other))
  }
}
