import {
  alwaysOnSessions,
  legFramesByContext,
  requireContext,
} from '../admission/load/engine-capacity.js'
import { versionAtLeast } from '../config/engine-version.js'
import { capacityOf, type EngineFacts, type EngineSettings } from '../engines/read-engine.js'
import { ConfigError } from '../kernel/errors.js'
import { LegCurve } from '../model/leg-curve.js'
import { STEP_MS } from '../model/pcm.js'

/** One result of a check; `detail` is a sentence that says what to do about it. */
export interface EngineFinding {
  state: 'ok' | 'warning' | 'wrong'
  detail: string
}

/** From this vLLM version on, everything that we use has been tested. */
const VERSION_RECOMMENDED = '0.32'
/** Below this vLLM version sessions hold nearly three times the KV blocks, and hang more easily. */
const VERSION_SUPPORTED = '0.25'
/** Length of the legs, in ms, for which `doctor` says how many sessions fit. */
const EXAMPLE_LEG_MS = 60_000
/**
 * Share by which server and profile may differ in KV blocks; above it the profile is probably that
 * of another GPU.
 */
const PROFILE_OFF_SHARE = 0.2

/** What is right and wrong with an engine that answers; the first finding says what it is. */
export function engineFindings(settings: EngineSettings, facts: EngineFacts): EngineFinding[] {
  const { url } = facts.address
  const { version, maxModelLen, isStandin } = facts.description
  const what = isStandin ? 'stand-in' : 'vLLM'
  return [
    {
      state: 'ok',
      detail: `${url}: ${what} ${version ?? '?'}, context ${maxModelLen ?? '?'} tokens`,
    },
    ...versionFindings(url, version),
    contextFinding(settings, facts),
    capacityFinding(settings, facts),
    ...profileFindings(facts),
  ]
}

function versionFindings(url: string, version: string | null): EngineFinding[] {
  const isAtLeast = (minimum: string) => version !== null && versionAtLeast(version, minimum)
  if (isAtLeast(VERSION_RECOMMENDED)) return []
  const warning = (sentence: string): EngineFinding[] => [
    { state: 'warning', detail: `The engine at ${url} ${sentence}` },
  ]
  if (isAtLeast(VERSION_SUPPORTED)) {
    return warning(
      `is vLLM ${version}, where a session that reaches max_model_len ends the whole engine; ${VERSION_RECOMMENDED} or newer is recommended.`,
    )
  }
  if (version !== null && versionAtLeast(version, VERSION_SUPPORTED) === false) {
    return warning(
      `is vLLM ${version}, where a session of a minute holds nearly three times the KV blocks and may fall silent for ever; upgrade it to ${VERSION_RECOMMENDED} or newer.`,
    )
  }
  return warning(
    `doesn't tell its version, so what its sessions hold is taken for that of the newest one; make sure that it is vLLM ${VERSION_RECOMMENDED} or newer.`,
  )
}

function contextFinding(
  { legs: { floorMs, ceilingMs } }: EngineSettings,
  { address: { url }, description: { maxModelLen } }: EngineFacts,
): EngineFinding {
  if (maxModelLen === null) {
    return {
      state: 'warning',
      detail: `The engine at ${url} doesn't tell its max_model_len; it must be enough for legs of legs.ceilingMs (${ceilingMs} ms).`,
    }
  }
  return judged(() => {
    requireContext(url, { maxModelLen, floorMs })
    const legMs = legFramesByContext(maxModelLen) * STEP_MS
    return legMs >= ceilingMs
      ? `its context holds legs up to legs.ceilingMs, ${seconds(ceilingMs)}`
      : `its context holds legs up to ${seconds(legMs)} (legs.ceilingMs is ${seconds(ceilingMs)})`
  })
}

function capacityFinding(settings: EngineSettings, facts: EngineFacts): EngineFinding {
  const finding = judged(() => {
    const { reason, kvBlocksBatch } = capacityOf(settings, facts)
    const curve = new LegCurve(facts.kvModel)
    const never = alwaysOnSessions(curve, kvBlocksBatch, null)
    const rotated = alwaysOnSessions(curve, kvBlocksBatch, EXAMPLE_LEG_MS)
    return `${reason}: by memory about ${never} endless recordings that never change sessions, ${rotated} in legs of ${seconds(EXAMPLE_LEG_MS)}`
  })
  // Without KV blocks only a warning under the policy `fixed`, which counts sessions instead.
  const isNeeded = settings.admission.policy !== 'fixed'
  return finding.state === 'wrong' && !isNeeded ? { ...finding, state: 'warning' } : finding
}

function profileFindings({ address: { url }, gauges, gpu }: EngineFacts): EngineFinding[] {
  const findings: EngineFinding[] = []
  if (gpu === null) {
    const detail =
      'no step budget: set engine.gpu (NIGHTSCRIBE_ENGINE_GPU) to the profile of its GPU'
    findings.push({ state: 'ok', detail })
  }
  const { kvBlocksTotal, cores } = gauges
  if (gpu !== null && kvBlocksTotal !== null) {
    const offShare = Math.abs(kvBlocksTotal - 1 - gpu.kvBlocks) / gpu.kvBlocks
    if (offShare > PROFILE_OFF_SHARE) {
      findings.push({
        state: 'warning',
        detail: `The engine at ${url} has ${kvBlocksTotal - 1} KV blocks, the GPU profile ${gpu.name} ${gpu.kvBlocks}; the server's figure counts, but is engine.gpu right for the step budget?`,
      })
    }
  }
  if (cores > 1) {
    findings.push({
      state: 'warning',
      detail: `The engine at ${url} has ${cores} engine cores and places sessions on them itself, so only the blocks of the smallest one are given out; start one server a GPU and name each in NIGHTSCRIBE_ENGINES.`,
    })
  }
  return findings
}

function judged(sentence: () => string): EngineFinding {
  try {
    return { state: 'ok', detail: sentence() }
  } catch (error) {
    if (error instanceof ConfigError)
      return { state: 'wrong', detail: `${error.message} [${error.code}]` }
    throw error
  }
}

function seconds(durationMs: number): string {
  return `${Math.floor(durationMs / 1000)} s`
}
