import { createInterface } from 'node:readline/promises'
import { ConfigError, StopRequested } from '../../kernel/errors.js'
import { kvBlocksPlanned } from '../../model/kv-model.js'
import { STEP_MS } from '../../model/pcm.js'
import type { SweptEngine } from '../../planning/sweep/report.js'
import { stepAudioMs } from './step-ports.js'

/** Asks a person and resolves with the answer typed. Null where there is no terminal to ask on. */
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

/** Most KV blocks that a step holds at its end; null where the model's KV figures aren't known. */
export function stepPeakBlocks(
  { kvModel }: Pick<SweptEngine, 'kvModel'>,
  { sessions, seconds, pace }: { sessions: number; seconds: number; pace: number },
): number | null {
  if (kvModel === null) return null
  return sessions * kvBlocksPlanned(kvModel, stepAudioMs({ seconds, pace }) / STEP_MS)
}

/**
 * The reason to ask a person before a step, in one sentence: the step may stop all sessions on the
 * engine. Null when there is no such risk.
 */
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
  return `${step.sessions} sessions want up to ${peak} KV blocks and the engine has ${engine.kvBlocksMax}: all of them will stop, and with them all other sessions on it.`
}

/**
 * Lets a risky step begin only after a person has agreed.
 * @throws ConfigError when there is no terminal to ask on; StopRequested when the answer is no; the
 * signal's reason
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
