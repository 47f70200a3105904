/** How easily sound counts as speech: `high` misses least, and takes most noise for speech. */
export type Sensitivity = 'low' | 'medium' | 'high'

/** Settings of the voice detector and of the speech map; times in ms. */
export interface VadSettings {
  /** Probability from which the detector's answer counts as speech. */
  threshold: number
  /** Speech below this counts as noise. */
  speechMinMs: number
  /** Silence below this belongs to the speech around it. */
  silenceMinMs: number
  pauseMinMs: number
}

const PRESETS = {
  low: { threshold: 0.65, speechMinMs: 400, silenceMinMs: 300 },
  medium: { threshold: 0.5, speechMinMs: 250, silenceMinMs: 300 },
  high: { threshold: 0.35, speechMinMs: 150, silenceMinMs: 300 },
} as const

/** The preset of a sensitivity; values that are given replace the preset's. */
export function vadSettings(given: {
  sensitivity: Sensitivity
  threshold: number | null
  speechMinMs: number | null
  silenceMinMs: number | null
  pauseMinMs: number
}): VadSettings {
  const preset = PRESETS[given.sensitivity]
  return {
    threshold: given.threshold ?? preset.threshold,
    speechMinMs: given.speechMinMs ?? preset.speechMinMs,
    silenceMinMs: given.silenceMinMs ?? preset.silenceMinMs,
    pauseMinMs: given.pauseMinMs,
  }
}
