import type { EngineLimits } from './engine-under-test.js'

/** What a part of the suite needs. */
interface PartWants {
  /** Exactly this `--max-model-len`. */
  maxModelLen?: number
  /** At least so many. */
  maxModelLenMin?: number
  /** At least so many usable KV blocks. */
  kvBlocksMin?: number
  /** Exactly so many. */
  kvBlocks?: number
  /** A kit: it starts and ends an engine of its own, and takes no notice of any other. */
  kit?: true
}

/** What there is to run parts with; null for what nobody has named. */
export interface AtHand {
  /** Of the engine under test. */
  limits: EngineLimits | null
  /** See `engineKit`. */
  kit: string | null
}

/** Every part of the engine suite; `<name>.engine.ts` in this folder is its test file. */
export const PARTS: Readonly<Record<string, PartWants>> = {
  dialogues: { maxModelLen: 512 },
  admission: { maxModelLen: 2_048, kvBlocks: 39 },
  samples: { maxModelLenMin: 8_192, kvBlocksMin: 200 },
  'engine-death': { kit: true },
}

/** Why a part can't run with what is at hand; null when it can. */
export function misfit(wants: PartWants, { limits, kit }: AtHand): string | null {
  if (wants.kit) {
    return kit === null ? 'NIGHTSCRIBE_ENGINE_KIT names no kit that starts an engine' : null
  }
  if (limits === null) return 'NIGHTSCRIBE_TEST_ENGINE names no engine to test against'
  const { maxModelLen, kvBlocksUsable } = limits
  if (wants.maxModelLen !== undefined && maxModelLen !== wants.maxModelLen) {
    return `it wants --max-model-len ${wants.maxModelLen}, the engine has ${maxModelLen}`
  }
  if (wants.maxModelLenMin !== undefined && maxModelLen < wants.maxModelLenMin) {
    return `it wants --max-model-len ${wants.maxModelLenMin} or more, the engine has ${maxModelLen}`
  }
  if (wants.kvBlocksMin !== undefined && (kvBlocksUsable ?? 0) < wants.kvBlocksMin) {
    const has = kvBlocksUsable ?? 'an unknown number'
    return `it wants ${wants.kvBlocksMin} KV blocks or more, the engine has ${has}`
  }
  if (wants.kvBlocks !== undefined && kvBlocksUsable !== wants.kvBlocks) {
    const has = kvBlocksUsable ?? 'an unknown number'
    return `it wants ${wants.kvBlocks} usable KV blocks, the engine has ${has}`
  }
  return null
}
