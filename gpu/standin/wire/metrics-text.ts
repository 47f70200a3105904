import type { StandinEngine } from '../engine/standin-engine.js'

/**
 * The body of `/metrics`: vLLM's names, labels and shapes for everything that is true of a
 * stand-in; the rest is left out. Some mislead, as vLLM's do: `running` counts the sessions in the
 * step being computed, and is mostly 0; `deferred` counts every live session, blocked for good or
 * not; and nothing distinguishes a full cache from a working one.
 */
export function metricsText(engine: StandinEngine): string {
  const { counters, settings, scheduler, loop, sessions } = engine
  const labels = { engine: '0', model_name: settings.modelId }
  const kvBlocks = settings.kvBlocksUsable + 1 // vLLM keeps one, which holds no session
  const gauge = metric('gauge')
  const counter = metric('counter')
  const waiting = { capacity: scheduler.waiting, deferred: scheduler.holding - loop.running }
  return [
    ...gauge('vllm:num_requests_running', [[labels, loop.running]]),
    ...gauge('vllm:num_requests_waiting', [[labels, waiting.capacity + waiting.deferred]]),
    ...gauge('vllm:num_requests_waiting_by_reason', [
      [{ ...labels, reason: 'capacity' }, waiting.capacity],
      [{ ...labels, reason: 'deferred' }, waiting.deferred],
    ]),
    ...gauge('vllm:kv_cache_usage_perc', [
      [labels, scheduler.kvBlocksHeld / settings.kvBlocksUsable],
    ]),
    ...counter('vllm:num_preemptions_total', [[labels, 0]]),
    ...counter('vllm:prompt_tokens_total', [[labels, counters.promptTokens]]),
    ...counter('vllm:generation_tokens_total', [[labels, counters.generationTokens]]),
    // vLLM counts a streaming session only when it reached the length limit.
    ...counter('vllm:request_success_total', [
      [{ ...labels, finished_reason: 'stop' }, 0],
      [{ ...labels, finished_reason: 'length' }, counters.capped],
      [{ ...labels, finished_reason: 'abort' }, 0],
      [{ ...labels, finished_reason: 'error' }, 0],
    ]),
    ...gauge('vllm:cache_config_info', [
      [
        {
          block_size: `${settings.kv.blockTokens}`,
          engine: '0',
          num_gpu_blocks: `${kvBlocks}`,
        },
        1,
      ],
    ]),
    ...gauge('vllm:websocket_connections_active', [[{}, sessions.size]]),
    ...counter('vllm:websocket_connections_total', [[{}, counters.connections]]),
    '',
  ].join('\n')
}

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

function metric(type: 'gauge' | 'counter') {
  return (name: string, samples: readonly Sample[]): string[] => [
    `# HELP ${name} As vLLM's, of a stand-in.`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labelText(labels)} ${numberText(value)}`),
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function numberText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}
