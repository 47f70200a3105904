import { compareDialogue } from './compare-dialogue.js'
import { type ClientStep, type Dialogue, type DialogueLine, isSight } from './dialogue.js'
import { DialogueClient } from './dialogue-client.js'

export interface PlayOptions {
  /** `ws://host:port` without a path. */
  address: string
  /**
   * Cap on the pauses before a step, ms. A recorded pause gives frames that shouldn't come the time
   * to come; less of it makes the play shorter and compares the same.
   */
  pauseMsMax: number
  /** How long nothing may come while a frame, a pong or the end is awaited, ms. */
  quietMsMax: number
}

/** Shorter gaps in a recording are the recording client's own work, not a pause. */
const PAUSE_MS_MIN = 100

/**
 * Plays one dialogue: before each step waits until as much has been seen as stands above it, then
 * for the recorded pause.
 * @returns what differs from the recording, one readable line each
 */
export async function playDialogue(dialogue: Dialogue, options: PlayOptions): Promise<string[]> {
  const client = new DialogueClient(options.address, dialogue.header)
  try {
    await client.open()
    const missing = await playLines(client, dialogue.lines, options)
    return [...missing, ...compareDialogue(dialogue, client.lines)]
  } finally {
    client.drop()
  }
}

/** @returns what was waited for in vain, if anything was */
async function playLines(
  client: DialogueClient,
  lines: readonly DialogueLine[],
  { pauseMsMax, quietMsMax }: PlayOptions,
): Promise<string[]> {
  let sights = 0
  let previousMs = 0
  for (const line of [...lines, null]) {
    if (line && isSight(line)) {
      sights += 1
    } else {
      const met = await client.until(() => client.ended || client.sights >= sights, quietMsMax)
      if (!met)
        return [`nothing came for ${quietMsMax} ms after ${client.sights} of ${sights} sights`]
      if (!line) break
      const pauseMs = line.t * 1000 - previousMs
      if (pauseMs >= PAUSE_MS_MIN) await client.untilQuiet(Math.min(pauseMs, pauseMsMax))
      client.perform(stepOf(line))
    }
    previousMs = line.t * 1000
  }
  return []
}

function stepOf({ t: _, ...step }: { t: number } & ClientStep): ClientStep {
  return step
}
