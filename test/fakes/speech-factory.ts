import { fetchedModelConfig } from '../../gpu/standin/recognizers/speech/model-folder.js'
import {
  createSpeechFactory,
  type SpeechOptions,
} from '../../gpu/standin/recognizers/speech/speech-recognizer.js'
import { fetchedSpeechModel } from '../../src/config/data/speech-model.js'
import { readEnvironment } from '../../src/config/environment.js'
import { projectRoot } from '../../src/config/project-root.js'
import { systemClock } from '../../src/kernel/clock.js'

/** The recognizer of the stand-in with the model that set-up fetched. */
export function createMoonshineFactory(options: Partial<SpeechOptions> = {}) {
  const model = fetchedSpeechModel({ cwd: projectRoot(), env: readEnvironment() })
  return createSpeechFactory({
    model: () => fetchedModelConfig(model),
    clock: systemClock(),
    ...options,
  })
}
