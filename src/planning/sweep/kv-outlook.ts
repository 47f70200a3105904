import { type KvModel, kvBlocksPlanned } from '../../model/kv-model.js'
import { STEP_MS } from '../../model/pcm.js'
import { delaySteps } from '../../model/step-law.js'

/** What the KV law predicts for a number of sessions that are never rotated. */
export interface KvOutlook {
  /** Blocks that all sessions hold in the end; `plateau_after_ms`: after how much audio. */
  plateau_blocks: number
  plateau_after_ms: number
  /** After how much audio the cache is full; null: never, or its size isn't known. */
  full_after_ms: number | null
}

/** The outlook. @param kvBlocksMax blocks that sessions can have; null where that isn't known */
export function kvOutlook(model: KvModel, sessions: number, kvBlocksMax: number | null): KvOutlook {
  const plateauDeltas = model.decoderWindowTokens + model.blockTokens * model.decoderBlockRatio
  const plateauBlocks = kvBlocksPlanned(model, plateauDeltas)
  const plateauFrom = firstDeltas(plateauDeltas, (deltas) => {
    return kvBlocksPlanned(model, deltas) >= plateauBlocks
  })
  const fullFrom = firstDeltas(plateauDeltas, (deltas) => {
    return kvBlocksMax !== null && sessions * kvBlocksPlanned(model, deltas) > kvBlocksMax
  })
  return {
    plateau_blocks: sessions * plateauBlocks,
    plateau_after_ms: audioMsOf(plateauFrom ?? plateauDeltas),
    full_after_ms: fullFrom === null ? null : audioMsOf(fullFrom),
  }
}

/** The least number up to `max` that meets a condition which all greater numbers meet, too. */
function firstDeltas(max: number, holds: (deltas: number) => boolean): number | null {
  if (!holds(max)) return null
  let low = 0
  let high = max
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

function audioMsOf(deltas: number): number {
  return (delaySteps() + deltas) * STEP_MS
}
