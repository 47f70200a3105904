/** How readily sound counts as speech. */
export type Sensitivity = 'low' | 'medium' | 'high'

/** What the voice detector and the speech map go by. */
export interface VadSettings {
  /** Probability from which the detector's answer counts as speech. */
  threshold: number
  /** Shorter speech is taken for noise. */
  speechMinMs: number
  /** Shorter silence belongs to the speech around it. */
  silenceMinMs: number
  pauseMinMs: number
}

const PRESETS = {
  low: { threshold: 0.65, speechMinMs: 400, silenceMinMs: 300 },
  medium: { threshold: 0.5, speechMinMs: 250, silenceMinMs: 300 },
  high: { threshold: 0.35, speechMinMs: 150, silenceMinMs: 300 },
} as const

/** A preset, with whatever is given in its place. */
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
