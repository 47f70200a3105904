import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTonesFactory } from '../../gpu/standin/recognizers/tones-recognizer.js'
import { type Standin, startStandin } from '../../gpu/standin/server.js'
import { readDialogues } from './dialogue.js'
import { playDialogue } from './play-dialogue.js'

/**
 * The stand-in answers as a real vLLM did. Recorded pauses are cut to a fraction of a second, the
 * 45 s of `idle` too: the stand-in needs no longer to send what it shouldn't, and what is compared
 * stays the same. Its pings, which come every 20 s, have a test of their own.
 */
const PAUSE_MS_MAX = 150

describe('the stand-in in the dialogues recorded from vLLM 0.32', () => {
  const dialogues = readDialogues()
  let standin: Standin

  beforeAll(async () => {
    standin = await startStandin({ recognizer: createTonesFactory(), key: 'k', maxModelLen: 512 })
  })
  afterAll(() => standin.close())

  it('has at least sixty of them', () => {
    expect(dialogues.length).toBeGreaterThanOrEqual(60)
  })

  it.concurrent.for(dialogues)('$header.dialogue: $header.what', async (dialogue, context) => {
    const address = `ws://127.0.0.1:${standin.port}`
    const differences = await playDialogue(dialogue, {
      address,
      pauseMsMax: PAUSE_MS_MAX,
      quietMsMax: 10_000,
    })
    context.expect(differences).toEqual([])
  })
})
