import { gpuProfileNames, loadGpuProfile } from '../../config/data/gpu-profile.js'
import { loadKvModel } from '../../config/data/model-file.js'
import { withoutCredentials } from '../../config/redact.js'
import type { Settings } from '../../config/schema.js'
import { NO_GAUGES } from '../../engines/engine-metrics.js'
import { planOf } from '../../engines/engine-plan-of.js'
import { type EngineFacts, readEngine } from '../../engines/read-engine.js'
import { UpstreamError } from '../../kernel/errors.js'
import type { ForecastEngine } from '../../planning/night-course.js'
import type { CommandContext } from '../command-context.js'
import { standinFacts, withStandin } from '../stack/own-standin.js'

/** GPU profile assumed where neither the engines nor the settings name a GPU. */
const ASSUMED_GPU = 'l40s'

/** The engines that a plan is made for. */
export interface PlanEngines {
  /** The settings that the plan uses. */
  readonly settings: Settings
  readonly facts: readonly EngineFacts[]
  /** Where the engines' figures come from. */
  readonly source: 'engines' | 'profile' | 'standin' | 'assumed'
  /** For people: `2 engines, asked`. */
  readonly text: string
  /** Sentences on what is assumed, and on what is wrong. */
  readonly notes: readonly string[]
}

/**
 * Finds the engines that a plan is made for. Those of the options come first, by the profile of
 * their GPU; then those of the settings that answer, by their own figures; where none answers, as
 * many by the profile of `engine.gpu`. Where the settings name neither engine nor GPU, it is the
 * stand-in that `up` starts. Notes say what is assumed.
 *
 * @throws ConfigError for an unknown profile, or an engine that isn't what the settings say; the
 * signal's reason
 */
export async function planEngines(
  context: Pick<CommandContext, 'settings' | 'root'>,
  options: { gpu: string | null; engines: number | null },
  { signal }: { signal: AbortSignal },
): Promise<PlanEngines> {
  const { settings } = context
  const named = settings.engines.length
  const gpu = options.gpu ?? settings.engine.gpu
  const count = options.engines ?? Math.max(1, named)
  if (options.gpu !== null || options.engines !== null) {
    return byProfile(context, { gpu, count, notes: [] })
  }
  if (named === 0 && gpu === null) return ownStandin(context)
  const facts: EngineFacts[] = []
  const silent: SilentEngine[] = []
  for (const each of await askAll(context, { signal })) {
    if ('silent' in each) silent.push(each)
    else facts.push(each)
  }
  if (facts.length > 0) {
    const text = `${countText(facts.length)}, asked`
    const notes = silent.map(({ silent: url, why }) => `Planned without ${url}: ${why}`)
    return { settings, facts, source: 'engines', text, notes }
  }
  const notes = silent.map(({ why }) => why)
  if (gpu !== null) {
    const none = named === 0 ? 'No engine is named' : 'None of the engines answers'
    const planned = `${countText(count)} of the profile ${gpu} (setting engine.gpu)`
    notes.push(`${none}, so it is planned for ${planned}.`)
  }
  return byProfile(context, { gpu, count, notes })
}

/** The plans of engines under these settings. @throws ConfigError naming the setting */
export function forecastEngines(
  settings: Settings,
  facts: readonly EngineFacts[],
  options: { ceiling: 'on' | 'off' },
): ForecastEngine[] {
  return facts.map((each) => {
    const id = each.address.url
    if (options.ceiling === 'on') return { id, ...planOf(settings, each) }
    const unlimited = { ...each, description: { ...each.description, maxModelLen: null } }
    const { plan, liveShare } = planOf(settings, unlimited)
    return { id, plan: { ...plan, ceilingFrames: Number.POSITIVE_INFINITY }, liveShare }
  })
}

/** `count` engines in all: the given ones, and copies of the first. */
export function withEngines(facts: readonly EngineFacts[], count: number): EngineFacts[] {
  const [first] = facts
  return Array.from({ length: count }, (_, index) => {
    const own = facts[index]
    if (own || !first) return own
    const url = `${first.address.url} (${index + 1})`
    return { ...first, address: { ...first.address, url } }
  }).filter((each) => each !== undefined)
}

/** An engine that doesn't answer. */
interface SilentEngine {
  /** Address of an engine that didn't answer, without credentials. */
  readonly silent: string
  /** A sentence that names the engine and the setting. */
  readonly why: string
}

async function askAll(
  { settings, root }: Pick<CommandContext, 'settings' | 'root'>,
  { signal }: { signal: AbortSignal },
): Promise<(EngineFacts | SilentEngine)[]> {
  return await Promise.all(
    settings.engines.map(async (url) => {
      try {
        const facts = await readEngine(settings, { url, root }, { signal })
        return { ...facts, address: { ...facts.address, url: withoutCredentials(url) } }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof UpstreamError)) throw error
        return { silent: withoutCredentials(url), why: error.message }
      }
    }),
  )
}

/** @param wanted.gpu null: a profile is assumed */
function byProfile(
  { settings, root }: Pick<CommandContext, 'settings' | 'root'>,
  wanted: { gpu: string | null; count: number; notes: string[] },
): PlanEngines {
  const { gpu: given, count, notes } = wanted
  const name = given ?? ASSUMED_GPU
  const gpu = loadGpuProfile({ cwd: root, name })
  const { model } = settings.engine
  const kvModel = loadKvModel({ cwd: root, model, version: null, blockTokens: null })
  const facts = Array.from({ length: count }, (_, index): EngineFacts => {
    return {
      address: { url: `${name} ${index + 1}`, key: null },
      description: { model, maxModelLen: null, version: null, isStandin: false, deltaDelayMs: 0 },
      gauges: NO_GAUGES,
      kvModel,
      gpu,
    }
  })
  const text = `${countText(count)} by the profile ${name}`
  if (given !== null) return { settings, facts, source: 'profile', text, notes }
  const assumed = `${countText(count)} of the profile ${name} ${count === 1 ? 'is' : 'are'} assumed`
  const how = `engine.gpu (NIGHTSCRIBE_ENGINE_GPU) or --gpu says others: ${profiles(root)}.`
  return { settings, facts, source: 'assumed', text, notes: [...notes, `${assumed}; ${how}`] }
}

/** The stand-in that `up` starts, and transcribes with, where the settings name no engine. */
function ownStandin({ settings, root }: Pick<CommandContext, 'settings' | 'root'>): PlanEngines {
  const own = withStandin(settings)
  const { sessionsMax } = own.engine
  return {
    settings: own,
    facts: [standinFacts(settings, { root })],
    source: 'standin',
    text: 'the stand-in',
    notes: [
      `No engine is named, so it is planned for the stand-in that \`nightscribe up\` starts: on the CPU, ${sessionsMax} at a time, and no Voxtral. For GPUs set NIGHTSCRIBE_ENGINES, or give --gpu (${profiles(root)}) and --engines.`,
    ],
  }
}

function profiles(root: string): string {
  return gpuProfileNames(root).join(', ')
}

function countText(count: number): string {
  return count === 1 ? '1 engine' : `${count} engines`
}
