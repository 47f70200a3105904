import { type Clock, sleepFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import type { Ledger } from './ledger.js'
import type { LedgerClient, LedgerStep } from './ledger-client.js'

/** A store that is out is asked again so often, and for so long: sessions run on meanwhile. */
const ASK_AGAIN_MS = 500
const PATIENCE_MS = 60_000

/**
 * Changes a ledger as `EngineDesk.change` does, and waits while the store is out: whoever runs
 * sessions loses more by giving up than by waiting. A step is computed anew for every try.
 * @throws UpstreamError when it is out for a minute; the signal's reason
 */
export async function changePatiently<T>(
  client: LedgerClient,
  parts: { clock: Clock; random: Random; signal: AbortSignal },
  step: (ledger: Ledger, nowMs: number) => LedgerStep<T>,
  settle?: (value: T) => void,
): Promise<T> {
  const { clock, random, signal } = parts
  const sinceMs = clock.monotonicMs()
  for (;;) {
    try {
      return await client.change({ signal }, step, settle)
    } catch (error) {
      const isOver = clock.monotonicMs() - sinceMs > PATIENCE_MS
      if (signal.aborted || isOver || !(error instanceof UpstreamError)) throw error
    }
    await sleepFor(clock, ASK_AGAIN_MS * (0.5 + random.uniform()), { signal })
  }
}
