import { ConfigError } from '../../kernel/errors.js'
import { EnergyVad } from './energy-vad.js'
import { SileroVad } from './silero-vad.js'
import type { Vad } from './vad.js'

/** The settings `vad.method` and `vad.threshold`. */
export interface VadOptions {
  method: 'auto' | 'silero' | 'energy'
  /** Probability from which a window is speech; Silero only. */
  threshold: number
  /** Path of Silero's model; by default that of the installed npm package. */
  modelPath?: string
}

/**
 * Starts the detector of the settings. `auto` starts Silero or, where its native module or its
 * model can't be loaded, the energy detector.
 * @throws ConfigError when `silero` is forced and can't be loaded; the signal's reason
 */
export async function openVad(
  options: VadOptions,
  { signal }: { signal: AbortSignal },
): Promise<Vad> {
  if (options.method === 'energy') return energyVad(null)
  const started = await SileroVad.start(options, { signal })
  if (started.kind === 'ready') return started.vad
  if (options.method === 'auto') return energyVad(started.reason)
  throw new ConfigError(
    'config_invalid',
    `vad.method is 'silero', but the model can't be loaded here (${started.reason}): run ` +
      "'npm ci' again, or set vad.method to 'auto' or 'energy'.",
    { facts: { setting: 'vad.method' } },
  )
}

function energyVad(fallbackReason: string | null): Vad {
  return {
    method: 'energy',
    fallbackReason,
    openLane: () => {
      const lane = new EnergyVad()
      return {
        push: async (pcm, { signal }) => {
          signal.throwIfAborted()
          lane.push(pcm)
        },
        finish: async () => lane.finish(),
        [Symbol.dispose]: () => {},
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
}
