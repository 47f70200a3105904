import type { RecognizerFactory } from '../../gpu/standin/recognizers/recognizer.js'

/** Hears no word in anything, at once. */
export function createSilentFactory(): RecognizerFactory {
  return {
    name: 'tones',
    deltaDelayMs: 0,
    start: async () => {},
    create: () => ({
      settledMs: Number.POSITIVE_INFINITY,
      feed: () => {},
      end: () => {},
      take: () => [],
      close: () => {},
    }),
    close: async () => {},
  }
}
