import { createInterface } from 'node:readline/promises'
import { ConfigError, StopRequested } from '../../kernel/errors.js'
import { kvBlocksPlanned } from '../../model/kv-model.js'
import { STEP_MS } from '../../model/pcm.js'
import type { SweptEngine } from '../../planning/sweep/report.js'
import { stepAudioMs } from './step-ports.js'

/** Asks a person and resolves with what was typed. Null where nobody can be asked. */
export type Ask = ((question: string, options: { signal: AbortSignal }) => Promise<string>) | null

/** Asks on this process's terminal. */
export function terminalAsk(): Ask {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null
  return async (question, { signal }) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    try {
      return await lines.question(question, { signal })
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      lines.close()
    }
  }
}

/** KV blocks that a step holds at its end, at most; null where the law isn't known. */
export function stepPeakBlocks(
  { kvModel }: Pick<SweptEngine, 'kvModel'>,
  { sessions, seconds, pace }: { sessions: number; seconds: number; pace: number },
): number | null {
  if (kvModel === null) return null
  return sessions * kvBlocksPlanned(kvModel, stepAudioMs({ seconds, pace }) / STEP_MS)
}

/** Why a person should be asked before a step, in one sentence; null where there is no need. */
export function overfillRisk(
  engine: Pick<SweptEngine, 'kvModel' | 'kvBlocksMax'>,
  step: { sessions: number; seconds: number; pace: number; othersConnected: number | null },
): string | null {
  const others = step.othersConnected ?? 0
  if (others > 0) {
    return `${others} connections of others are on this engine, and ${step.sessions} sessions may bring theirs to a standstill.`
  }
  const peak = stepPeakBlocks(engine, step)
  if (peak === null || engine.kvBlocksMax === null || peak <= engine.kvBlocksMax) return null
  return `${step.sessions} sessions want up to ${peak} KV blocks and the engine has ${engine.kvBlocksMax}: all of them will stand still, and whoever else uses it.`
}

/**
 * Lets a risky step happen only when somebody wants it.
 * @throws ConfigError when nobody can be asked; StopRequested when the answer is no; the signal's
 *   reason
 */
export async function requireConsent(
  risk: string,
  { ask, signal }: { ask: Ask; signal: AbortSignal },
): Promise<void> {
  if (ask === null) {
    throw new ConfigError('config_invalid', `${risk} Give --yes to do it all the same.`)
  }
  const answer = await ask(`${risk} Go on? (y/N) `, { signal })
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new StopRequested('canceled', 'The sweep was not wanted after all.')
}
