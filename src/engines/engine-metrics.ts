import { UpstreamError } from '../kernel/errors.js'
import type { EngineAddress } from '../realtime/index.js'
import { getFromEngine, refuseUnauthorized } from './engine-http.js'
import { type PrometheusSample, parsePrometheusText } from './prometheus-text.js'

/**
 * What an engine tells of itself at `/metrics`; null for a figure that it leaves out. Two traps:
 * all figures are of the engine's last step, so they don't change while the engine is stuck; and
 * open sessions are counted in `deferred`, where they are between two frames, not in `running`.
 *
 * An engine with data parallelism has several cores, each with a KV cache of its own, and the
 * engine chooses the core of a session. So the blocks of its cores can't be added into one
 * capacity: shares and sizes here are those of the fullest and of the smallest cache, and only
 * counts are sums.
 */
export interface EngineGauges {
  /** Engine cores with a figure of their KV cache; 0 where none has one. */
  readonly cores: number
  /** Share of the KV blocks that are held, 0 to 1; of the fullest core. */
  readonly kvUsage: number | null
  /** KV blocks that sessions hold, of all cores together. */
  readonly kvBlocksHeld: number | null
  /** `num_gpu_blocks` of the smallest core; one of these blocks never holds a session's tokens. */
  readonly kvBlocksTotal: number | null
  /** Tokens of an encoder block (`block_size`). */
  readonly blockTokens: number | null
  /** Sessions that wait because more than `max_num_seqs` are open. A KV deadlock shows 0 here. */
  readonly waitingCapacity: number | null
  /** Sessions between two frames: nearly all open sessions. */
  readonly deferred: number | null
  /** Requests inside a step at this moment: changes with every step; not the number of sessions. */
  readonly running: number | null
  /** Preemptions since the engine started. Streaming sessions are never preempted. */
  readonly preemptions: number | null
  /** Tokens since the engine started: 12.5 a second for each session that is not behind. */
  readonly generationTokens: number | null
  /** Open WebSockets of all clients, not only of our workers. */
  readonly websocketConnections: number | null
}

/** The figures of an engine without `/metrics`: none. */
export const NO_GAUGES: EngineGauges = {
  cores: 0,
  kvUsage: null,
  kvBlocksHeld: null,
  kvBlocksTotal: null,
  blockTokens: null,
  waitingCapacity: null,
  deferred: null,
  running: null,
  preemptions: null,
  generationTokens: null,
  websocketConnections: null,
}

/**
 * Asks an engine for its figures: `NO_GAUGES` where it has no such page, for example behind a
 * proxy.
 *
 * @throws UpstreamError `engine_unavailable` when it doesn't answer or says that it can't;
 *   ConfigError `engine_unauthorized`; the signal's reason
 */
export async function readEngineGauges(
  engine: EngineAddress,
  { timeoutMs }: { timeoutMs: number },
  { signal }: { signal: AbortSignal },
): Promise<EngineGauges> {
  const answer = await getFromEngine(engine, '/metrics', { timeoutMs, signal })
  refuseUnauthorized(engine, answer)
  if (answer.status === 404 || answer.status === 405) return NO_GAUGES
  if (answer.status !== 200) {
    throw new UpstreamError(
      'engine_unavailable',
      `The engine at ${engine.url} doesn't tell its figures (HTTP ${answer.status} for /metrics).`,
      { facts: { status: answer.status }, effect: 'none' },
    )
  }
  return engineGauges(answer.body)
}

/** The figures in the text of `/metrics`. */
export function engineGauges(text: string): EngineGauges {
  const samples = parsePrometheusText(text).filter(({ value }) => Number.isFinite(value))
  const named = (name: string) => samples.filter((sample) => sample.name === name)
  const sum = (name: string) => sumOf(named(name))
  const usage = either(named('vllm:kv_cache_usage_perc'), named('vllm:gpu_cache_usage_perc'))
  const caches = named('vllm:cache_config_info')
  const waiting = named('vllm:num_requests_waiting_by_reason')
  const waitingFor = (reason: string) =>
    sumOf(waiting.filter(({ labels }) => labels.reason === reason))
  const cores = new Set([...usage, ...caches].map(({ labels }) => coreOf(labels)))
  return {
    cores: cores.size,
    kvUsage: usage.length === 0 ? null : Math.min(1, Math.max(0, ...usage.map((one) => one.value))),
    kvBlocksHeld: blocksHeld(usage, caches),
    kvBlocksTotal: smallestLabel(caches, 'num_gpu_blocks'),
    blockTokens: smallestLabel(caches, 'block_size'),
    waitingCapacity: waitingFor('capacity'),
    deferred: waitingFor('deferred'),
    running: sum('vllm:num_requests_running'),
    preemptions: sum('vllm:num_preemptions_total'),
    generationTokens: sum('vllm:generation_tokens_total'),
    websocketConnections: sum('vllm:websocket_connections_active'),
  }
}

function either<T>(first: readonly T[], second: readonly T[]): readonly T[] {
  return first.length > 0 ? first : second
}

function sumOf(samples: readonly PrometheusSample[]): number | null {
  if (samples.length === 0) return null
  return samples.reduce((sum, { value }) => sum + value, 0)
}

/**
 * Blocks held by the sessions of all cores. Usage is a share of the blocks that sessions can hold,
 * which is one block less than `num_gpu_blocks`.
 */
function blocksHeld(
  usage: readonly PrometheusSample[],
  caches: readonly PrometheusSample[],
): number | null {
  const usageByCore = new Map(usage.map(({ labels, value }) => [coreOf(labels), value]))
  if (usageByCore.size === 0) return null
  let held = 0
  for (const [core, share] of usageByCore) {
    const cache = caches.find(({ labels }) => coreOf(labels) === core)
    const blocks = cache ? wholeLabel(cache, 'num_gpu_blocks') : null
    if (blocks === null) return null
    held += Math.round(share * (blocks - 1))
  }
  return held
}

/** The core of a sample; vLLM releases before data parallelism have no such label: one core. */
function coreOf(labels: PrometheusSample['labels']): string {
  return labels.engine ?? ''
}

function smallestLabel(samples: readonly PrometheusSample[], name: string): number | null {
  const values = samples.flatMap((sample) => wholeLabel(sample, name) ?? [])
  return values.length === 0 ? null : Math.min(...values)
}

/** A label whose value is a whole number from 1 up; null for any other value, such as `None`. */
function wholeLabel({ labels }: PrometheusSample, name: string): number | null {
  const text = labels[name] ?? ''
  return /^[1-9]\d{0,11}$/.test(text) ? Number(text) : null
}
