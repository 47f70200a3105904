import { gpuProfileNames, loadGpuProfile } from '../config/gpu-profile.js'
import { loadKvModel } from '../config/model-file.js'
import { withoutCredentials } from '../config/redact.js'
import type { Settings } from '../config/schema.js'
import { UpstreamError } from '../kernel/errors.js'
import type { ForecastEngine } from '../planning/night-course.js'
import { NO_GAUGES } from '../realtime/engine-metrics.js'
import type { CommandContext } from './command-context.js'
import { planOf } from './engine-plan-of.js'
import { type EngineFacts, readEngine } from './examine-engine.js'

/** The profile that is assumed where nothing says what the engines run on. */
const ASSUMED_GPU = 'l40s'

/** Engines that a plan is made for. */
export interface PlanEngines {
  readonly facts: readonly EngineFacts[]
  /** Where their figures come from. */
  readonly source: 'engines' | 'profile' | 'assumed'
  /** For people: `2 engines, told by themselves`. */
  readonly text: string
  /** What is assumed, or not as it should be; sentences. */
  readonly notes: readonly string[]
}

/**
 * The engines that a plan is made for: those that the options name, by the profile of their GPU;
 * else those of the settings that answer, by their own figures; else an assumption, which is said.
 *
 * @throws ConfigError for an unknown profile, or an engine that isn't what the settings say; the
 *   signal's reason
 */
export async function planEngines(
  context: Pick<CommandContext, 'settings' | 'root'>,
  options: { gpu: string | null; engines: number | null },
  { signal }: { signal: AbortSignal },
): Promise<PlanEngines> {
  const { settings } = context
  const named = settings.engines.length
  if (options.gpu !== null || options.engines !== null) {
    const gpu = options.gpu ?? settings.engine.gpu ?? ASSUMED_GPU
    const count = options.engines ?? Math.max(1, named)
    const isGiven = options.gpu !== null || settings.engine.gpu !== null
    return byProfile(context, { gpu, count, source: isGiven ? 'profile' : 'assumed', notes: [] })
  }
  const notes: string[] = []
  const facts: EngineFacts[] = []
  for (const found of await askAll(context, { signal })) {
    if (typeof found === 'string') notes.push(found)
    else facts.push(found)
  }
  if (facts.length > 0) {
    return { facts, source: 'engines', text: `${countText(facts.length)}, asked`, notes }
  }
  const gpu = settings.engine.gpu ?? ASSUMED_GPU
  return byProfile(context, { gpu, count: Math.max(1, named), source: 'assumed', notes })
}

/** The plans of engines as settings would have them. @throws ConfigError naming the setting */
export function forecastEngines(
  settings: Settings,
  facts: readonly EngineFacts[],
  options: { ceiling: 'on' | 'off' },
): ForecastEngine[] {
  return facts.map((each) => {
    const id = each.address.url
    if (options.ceiling === 'on') return { id, ...planOf(settings, each) }
    const unlimited = { ...each, description: { ...each.description, maxModelLen: null } }
    const { plan, liveBlocks } = planOf(settings, unlimited)
    return { id, plan: { ...plan, ceilingFrames: Number.POSITIVE_INFINITY }, liveBlocks }
  })
}

/** So many engines in all: those that there are, and more of the kind of the first. */
export function withEngines(facts: readonly EngineFacts[], count: number): EngineFacts[] {
  const [first] = facts
  return Array.from({ length: count }, (_, index) => {
    const own = facts[index]
    if (own || !first) return own
    const url = `${first.address.url} (${index + 1})`
    return { ...first, address: { ...first.address, url } }
  }).filter((each) => each !== undefined)
}

/** @returns what each engine tells, or a sentence about one that doesn't answer */
async function askAll(
  { settings, root }: Pick<CommandContext, 'settings' | 'root'>,
  { signal }: { signal: AbortSignal },
): Promise<(EngineFacts | string)[]> {
  return await Promise.all(
    settings.engines.map(async (url) => {
      try {
        const facts = await readEngine(settings, { url, root }, { signal })
        return { ...facts, address: { ...facts.address, url: withoutCredentials(url) } }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof UpstreamError)) throw error
        return `Planned without ${withoutCredentials(url)}: ${error.message}`
      }
    }),
  )
}

function byProfile(
  { settings, root }: Pick<CommandContext, 'settings' | 'root'>,
  wanted: { gpu: string; count: number; source: 'profile' | 'assumed'; notes: string[] },
): PlanEngines {
  const { gpu: name, count, source } = wanted
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
  const notes = [...wanted.notes]
  if (source === 'assumed') {
    const others = gpuProfileNames(root).join(', ')
    const why = settings.engines.length === 0 ? 'No engine is named, so ' : ''
    const assumed = `${countText(count)} of the profile ${name} ${count === 1 ? 'is' : 'are'} assumed`
    notes.push(
      `${why}${assumed}; NIGHTSCRIBE_ENGINES, or --gpu (${others}) and --engines, say others.`,
    )
  }
  return { facts, source, text: `${countText(count)} by the profile ${name}`, notes }
}

function countText(count: number): string {
  return count === 1 ? '1 engine' : `${count} engines`
}
