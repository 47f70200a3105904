import type { ClientStep, DialogueHeader } from './dialogue.js'

/** A step, or a wait before the next one. */
export type ScriptStep =
  | ClientStep
  /** Waits until nothing has come for so long: all that is due is there. */
  | { quietMs: number }
  /** Waits until the given number of `transcription.done` frames is there. */
  | { dones: number }

/** What to do to an engine to record one dialogue. */
export interface DialogueScript {
  name: string
  what: string
  steps: ScriptStep[]
  compare?: DialogueHeader['compare']
  path?: string
  key?: string | null
}

const MODEL = 'mistralai/Voxtral-Mini-4B-Realtime-2602'
const QUIET: ScriptStep = { quietMs: 1000 }

function update(model: unknown = MODEL): ScriptStep {
  return { send: { type: 'session.update', model } }
}

function append(samples: number): ScriptStep {
  return { send: { type: 'input_audio_buffer.append', samples } }
}

function appendAudio(audio: unknown): ScriptStep {
  return { send: { type: 'input_audio_buffer.append', audio } }
}

function commit(final: unknown): ScriptStep {
  return { send: { type: 'input_audio_buffer.commit', final } }
}

/** A commit, so much audio and the final commit. */
function utterance(samples: number): ScriptStep[] {
  return [commit(false), append(samples), commit(true)]
}

function text(sendText: string): ScriptStep {
  return { sendText }
}

/** Each step, and after each the time that its answer needs. */
function oneByOne(...steps: ScriptStep[]): ScriptStep[] {
  return steps.flatMap((step) => [step, { quietMs: 300 }])
}

/** Whole utterances whose number of deltas lies at a border of the step law. */
const LENGTHS: DialogueScript[] = [39, 40, 41, 1319, 1320, 1321, 8999, 9000].map((samples) => ({
  name: `samples-${samples}`,
  what: `an utterance of ${samples} samples`,
  steps: [update(), ...utterance(samples), { dones: 1 }, QUIET],
}))

const STATES: DialogueScript[] = [
  {
    name: 'three-finals',
    what: 'three finals before done, then a second utterance, which is whole',
    steps: [update(), ...utterance(16000), commit(true), commit(true), { dones: 1 }, QUIET].concat(
      ...[utterance(16000), { dones: 2 }, QUIET],
    ),
  },
  {
    name: 'third-utterance',
    what: 'three utterances of different lengths on one socket',
    steps: [update(), ...utterance(16000), { dones: 1 }, QUIET].concat(
      ...[utterance(1), { dones: 2 }, QUIET, utterance(24000), { dones: 3 }, QUIET],
    ),
  },
  {
    name: 'commit-twice-then-final',
    what: 'two commits at once, audio, final: one utterance',
    steps: [update(), commit(false), ...utterance(16000), { dones: 1 }, QUIET],
  },
  {
    name: 'final-before-commit',
    what: 'audio, final, and only then the commit that starts the generation',
    steps: [update(), append(16000), commit(true), QUIET, commit(false), { dones: 1 }, QUIET],
  },
  {
    name: 'audio-after-final',
    what: 'audio between final and done is discarded: the next utterance has none',
    steps: [update(), ...utterance(16000), append(16000), { dones: 1 }, QUIET].concat(
      ...[commit(false), commit(true), { dones: 2 }, QUIET],
    ),
  },
  {
    name: 'commit-after-final',
    what: 'a commit between final and done is ignored',
    steps: [
      update(),
      ...utterance(16000),
      commit(false),
      { dones: 1 },
      QUIET,
      append(16000),
      QUIET,
    ],
  },
  {
    name: 'update-after-done',
    what: 'a wrong model after done does not unset the validation',
    steps: [update(), ...utterance(16000), { dones: 1 }, QUIET].concat(
      ...[update('nobody/nothing'), QUIET, utterance(16000), { dones: 2 }, QUIET],
    ),
  },
  {
    name: 'final-after-early-done',
    what: 'final after the done at max_model_len poisons the next utterance',
    steps: [update(), commit(false), append(640000), { dones: 1 }, QUIET].concat(
      ...[commit(true), commit(false), append(16000), { dones: 2 }, QUIET],
    ),
  },
  {
    name: 'final-at-max-model-len',
    what: 'final was committed, but max_model_len is reached in the padding',
    steps: [update(), ...utterance(603000), { dones: 1 }, QUIET],
  },
  {
    name: 'mistakes-during-generation',
    what: 'five mistakes in the middle of an utterance leave it whole',
    steps: [update(), commit(false), append(16000), QUIET].concat(
      ...oneByOne(text('{'), text('[]'), update('nobody/nothing'), appendAudio('abc'), {
        send: { type: 'input_audio_buffer.clear' },
      }),
      append(16000),
      commit(true),
      { dones: 1 },
      QUIET,
    ),
  },
  {
    name: 'empty-twice',
    what: 'two utterances without audio, then one with',
    steps: [update(), commit(false), commit(true), { dones: 1 }, QUIET].concat(
      ...[commit(false), commit(true), { dones: 2 }, QUIET, utterance(1), { dones: 3 }, QUIET],
    ),
  },
]

const MODELS: DialogueScript[] = [
  {
    name: 'model-empty',
    what: 'an empty model passes validation',
    steps: [update(''), ...utterance(16000), { dones: 1 }, QUIET],
  },
  {
    name: 'model-falsy',
    what: 'whatever Python takes for false passes validation, null does not',
    steps: oneByOne(
      ...[update(null), commit(true), update({}), commit(false), commit(true)],
      ...[update(0), update([]), update(false)],
    ),
  },
  {
    name: 'model-odd',
    what: 'models that are no string, and one that looks like a path',
    steps: oneByOne(
      ...[
        update(7),
        update(-1.5),
        update(true),
        update(['a', "it's"]),
        update({ a: null, b: [1] }),
      ],
      ...[update('/tmp/models/wire'), update('x at 0x7f> y'), update(' \u00e9\u{1f600}\u0007')],
    ),
  },
]

const FINALS: DialogueScript[] = [
  ...[1, 'yes', 'TRUE', 'On', 't'].map((final, index) => ({
    name: `final-true-${index}`,
    what: `commit with final as ${JSON.stringify(final)}: true`,
    steps: [update(), commit(false), append(1280), commit(final), { dones: 1 }, QUIET],
  })),
  {
    name: 'final-true-float',
    what: 'commit with final as 1.0: true',
    steps: [
      ...[update(), commit(false), append(1280)],
      ...[text('{"type":"input_audio_buffer.commit","final":1.0}'), { dones: 1 }, QUIET],
    ],
  },
  ...[0, 'n', 'FALSE', 'off'].map((final, index) => ({
    name: `final-false-${index}`,
    what: `commit with final as ${JSON.stringify(final)}: false, it starts an utterance`,
    steps: [update(), commit(final), append(1280), commit(true), { dones: 1 }, QUIET],
  })),
  {
    name: 'final-left-out',
    what: 'commit without final: false',
    steps: [
      ...[update(), { send: { type: 'input_audio_buffer.commit' } }],
      ...[append(1280), commit(true), { dones: 1 }, QUIET],
    ],
  },
  {
    name: 'final-odd',
    what: 'commit with final as something that is no boolean',
    steps: [
      update(),
      ...oneByOne(...[null, 2, -1, 0.5, '', ' true', '2', [], [true], {}].map(commit)),
    ],
  },
  {
    name: 'final-odd-first',
    what: 'before session.update the model is what is wrong, not final',
    steps: oneByOne(commit('maybe'), commit(null)),
  },
]

const AUDIO: DialogueScript[] = [
  {
    name: 'base64-loose',
    what: 'spaces, newlines, other characters and bytes after the padding are skipped: 9,000 samples',
    steps: [
      ...[update(), commit(false), append(8993), QUIET],
      ...oneByOne(appendAudio('AA A='), appendAudio('A\nA\tA=\r\n'), appendAudio('%AA%A=%')),
      ...oneByOne(appendAudio('AAA=!!'), appendAudio('-AAA=_'), appendAudio('AA==AA==')),
      ...oneByOne(appendAudio('AAA='), appendAudio('AAA====')),
      QUIET,
    ],
  },
  {
    name: 'base64-wrong',
    what: 'audio that is no base64 of whole samples',
    steps: oneByOne(
      ...[
        'AAA',
        'A',
        'AA',
        'AA=',
        'AAAA=',
        'AA==AA',
        'AAAA',
        '=',
        '\u00e9AAA=',
        'AAA=\u0000\u20ac',
      ].map(appendAudio),
    ),
  },
  {
    name: 'audio-odd',
    what: 'audio that is no string',
    steps: oneByOne(...[1, 1.5, true, [], ['AAA='], { audio: 'AAA=' }].map(appendAudio)),
  },
  {
    name: 'append-extra-fields',
    what: 'append and commit with fields that nobody asked for',
    steps: [
      ...[update(), { send: { type: 'input_audio_buffer.commit', model: 'x', audio: 7 } }],
      ...[
        append(1278),
        { send: { event_id: 'e', type: 'input_audio_buffer.append', audio: 'AAAAAA==' } },
      ],
      ...[{ send: { final: 'y', type: 'input_audio_buffer.commit', n: { a: [1] } } }],
      ...[{ dones: 1 }, QUIET],
    ],
  },
]

const FRAMES: DialogueScript[] = [
  {
    name: 'types-unknown',
    what: 'event types that do not exist, as Python prints them',
    steps: oneByOne(
      { send: {} },
      ...[null, true, 7, -0.5, '', ' session.update', 'Session.Update', [], ['a', 'b"\'c'], {}].map(
        (type) => ({ send: { type } }),
      ),
      ...[{ a: { b: [null, false] } }, 'S\u00e9ssion \u{1f600}', 'a\u0007\\"b', '\u2028'].map(
        (type) => ({ send: { type } }),
      ),
      { send: { type: ['S\u00e9\u{1f600}\u0007\u00ad\u2028\\\n', "it's", 'say "it\'s"'] } },
    ),
  },
  {
    name: 'type-very-long',
    what: 'an unknown event type of 5,000 characters',
    steps: [{ send: { type: 'long '.repeat(1000) } }, QUIET],
  },
  {
    name: 'type-half-surrogate',
    what: 'an event type that has no UTF-8',
    steps: [text('{"type":"\\ud800"}'), QUIET],
  },
  {
    name: 'top-level-values',
    what: 'JSON that is no object',
    steps: oneByOne(...['"session.update"', '7', '1.5', 'true', 'false', '[]', '""'].map(text)),
  },
  {
    name: 'numbers-of-python',
    what: 'NaN and Infinity, which Python takes for JSON',
    steps: oneByOne(
      ...[
        'NaN',
        '-Infinity',
        '{"type":Infinity}',
        '{"type":"NaN","x":NaN}',
        '{"type":[1e999]}',
      ].map(text),
    ),
  },
  {
    name: 'json-strictness',
    what: 'what is JSON and what is not',
    steps: oneByOne(
      text(' \n\t{"type" : "a", "type":"b"}\r\n '),
      ...['\ufeff{"type":"a"}', "{'type':'a'}", '{"type":"a",}', '{"type":"a"} {}'].map(text),
      ...['{"type":"a\nb"}', '{"type":"\\x41"}', '{"type":"\\u0041"}', '{"type":01}', 'nan'].map(
        text,
      ),
      ...['// a', '{"type":.5}', '{"type":"a"', '\u00a0{}', '{type:"a"}'].map(text),
    ),
  },
  {
    name: 'deeply-nested',
    what: 'an array of 5,000 levels',
    steps: [text('['.repeat(5_000) + ']'.repeat(5_000)), QUIET],
  },
  {
    name: 'close-3000',
    what: 'the client closes with a code of its own',
    steps: [QUIET, { close: true, code: 3000, reason: 'enough' }],
  },
  {
    name: 'close-1001',
    what: 'the client goes away in the middle of an utterance',
    steps: [update(), commit(false), append(16000), QUIET, { close: true, code: 1001 }],
  },
  {
    name: 'close-without-code',
    what: 'the client closes without a code',
    steps: [QUIET, { close: true, code: null }],
  },
  { name: 'path-slash', what: 'a slash after the path', path: '/v1/realtime/', steps: [] },
  { name: 'path-root', what: 'no path', path: '/', steps: [] },
  {
    name: 'path-other-no-key',
    what: 'an unknown path without a key',
    path: '/x',
    key: null,
    steps: [],
  },
  {
    name: 'path-guarded-no-key',
    what: 'an unknown path under /v1 without a key',
    path: '/v1/x',
    key: null,
    steps: [],
  },
]

/** The dialogues of our own; each was recorded from a real engine by `record-dialogue.ts`. */
export const OWN_DIALOGUES: readonly DialogueScript[] = [
  ...[...LENGTHS, ...STATES, ...MODELS],
  ...[...FINALS, ...AUDIO, ...FRAMES],
]
