import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Dialogue, dialogueText } from './dialogue.js'
import { DialogueClient } from './dialogue-client.js'
import { type DialogueScript, OWN_DIALOGUES } from './own-dialogues.js'

/**
 * Records dialogues of our own from a real engine into `dialogues/`, to be played ever after:
 * `npx tsx test/conformance/record-dialogue.ts --engine ws://127.0.0.1:8000 [name…]`.
 */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { engine: { type: 'string' }, key: { type: 'string', default: 'k' } },
  })
  const address = values.engine
  if (!address) throw new Error('Say which engine to record: --engine ws://host:port')
  const facts = await engineFacts(address, values.key)
  const wanted = OWN_DIALOGUES.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  )
  for (const script of wanted) {
    const dialogue = await recordDialogue(script, address, facts)
    const file = new URL(`./dialogues/${script.name}.ndjson`, import.meta.url)
    writeFileSync(file, dialogueText(dialogue))
    const frames = dialogue.lines.filter((line) => 'recv' in line).length
    process.stdout.write(`${script.name}: ${frames} frames\n`)
  }
}

interface RecordedEngine {
  engine: string
  max_model_len: number
}

async function engineFacts(address: string, key: string): Promise<RecordedEngine> {
  const base = address.replace(/^ws/, 'http')
  const headers = { authorization: `Bearer ${key}` }
  const models = await (await fetch(new URL('/v1/models', base), { headers })).json()
  const { version } = (await (await fetch(new URL('/version', base))).json()) as { version: string }
  const [model] = (models as { data: Array<{ max_model_len: number; owned_by: string }> }).data
  if (model?.owned_by !== 'vllm') throw new Error(`${address} is not a real vLLM.`)
  return { engine: `vllm ${version}`, max_model_len: model.max_model_len }
}

/** How long nothing may come while something is awaited, ms: a first utterance warms up. */
const QUIET_MS_MAX = 60_000

async function recordDialogue(
  script: DialogueScript,
  address: string,
  facts: RecordedEngine,
): Promise<Dialogue> {
  const { name, what, steps } = script
  const header = { key: script.key === undefined ? 'k' : script.key, path: script.path ?? PATH }
  const client = new DialogueClient(address, header)
  await client.open()
  await client.until(() => client.sights > 0, QUIET_MS_MAX)
  for (const step of steps) {
    if ('quietMs' in step) await client.untilQuiet(step.quietMs)
    else if ('dones' in step) await client.until(() => donesIn(client) >= step.dones, QUIET_MS_MAX)
    else client.perform(step)
  }
  if (!client.ended && !steps.some((step) => 'close' in step)) client.perform({ close: true })
  await client.until(() => client.ended, QUIET_MS_MAX)
  return {
    header: { dialogue: name, what, ...facts, compare: script.compare ?? 'frames', ...header },
    lines: client.lines,
  }
}

const PATH = '/v1/realtime'

function donesIn(client: DialogueClient): number {
  return client.lines.filter((line) => 'recv' in line && line.recv.type === 'transcription.done')
    .length
}

await main()
