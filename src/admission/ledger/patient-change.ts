import { type Clock, sleepFor } from '../../kernel/clock.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { Random } from '../../kernel/random.js'
import type { Ledger } from './ledger.js'
import type { LedgerClient, LedgerStep } from './ledger-client.js'

/** A store that doesn't answer is asked again every 250 to 750 ms, for 60 s: sessions run on. */
const ASK_AGAIN_MS = 500
const PATIENCE_MS = 60_000

/**
 * Changes a ledger as `LedgerClient.change` does, and tries again for 60 s while the store doesn't
 * answer: giving up would cost running sessions their audio since the last checkpoint. A step is
 * computed anew for every try.
 * @throws UpstreamError when the store doesn't answer for 60 s; the signal's reason
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
