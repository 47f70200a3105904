import { describe, it } from 'vitest'
import { readDialogues } from '../dialogue.js'
import { playDialogue } from '../play-dialogue.js'
import { requireEngine } from './engine-under-test.js'

/** The recordings are still what a real vLLM answers, so that the stand-in is held to the truth. */
describe('the engine in the recorded dialogues', () => {
  const { address, key } = requireEngine()

  it.concurrent.for(readDialogues())(
    '$header.dialogue: $header.what',
    async (recorded, { expect }) => {
      const header = {
        ...recorded.header,
        key: recorded.header.key === 'k' ? key : recorded.header.key,
      }
      const dialogue = { ...recorded, header }
      const differences = await playDialogue(dialogue, {
        address,
        pauseMsMax: 60_000,
        quietMsMax: 60_000,
      })
      expect(differences).toEqual([])
    },
  )
})
