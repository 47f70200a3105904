import { describe, expect, it } from 'vitest'
import { engineGauges, NO_GAUGES } from '../../../src/engines/engine-metrics.js'

const core = 'engine="0",model_name="m"'
const page = (...lines: string[]) => lines.join('\n')

describe('the figures of an engine', () => {
  it('are read where vLLM 0.32 writes them', () => {
    const text = page(
      '# TYPE vllm:num_requests_running gauge',
      `vllm:num_requests_running{${core}} 1.0`,
      `vllm:num_requests_waiting{${core}} 8.0`,
      `vllm:num_requests_waiting_by_reason{${core},reason="capacity"} 2.0`,
      `vllm:num_requests_waiting_by_reason{${core},reason="deferred"} 6.0`,
      `vllm:kv_cache_usage_perc{${core}} 0.7179487179487180`,
      `vllm:num_preemptions_total{${core}} 0.0`,
      `vllm:generation_tokens_total{${core}} 12345.0`,
      'vllm:cache_config_info{block_size="32",engine="0",gpu_memory_utilization="0.92",num_gpu_blocks="40"} 1.0',
      'vllm:websocket_connections_active 7.0',
    )
    expect(engineGauges(text)).toEqual({
      cores: 1,
      kvUsage: 28 / 39,
      kvBlocksHeld: 28,
      kvBlocksTotal: 40,
      blockTokens: 32,
      waitingCapacity: 2,
      deferred: 6,
      running: 1,
      preemptions: 0,
      generationTokens: 12_345,
      websocketConnections: 7,
    })
  })

  it.each([
    ['nothing', ''],
    ['a page of something else', '<html><body>502 Bad Gateway</body></html>'],
    ['the metrics of another program', 'go_goroutines 12\nprocess_open_fds 9\n'],
    ['figures that are none', `vllm:kv_cache_usage_perc{${core}} NaN`],
  ])('are not known from %s', (_, text) => {
    expect(engineGauges(text)).toEqual(NO_GAUGES)
  })

  it('go by the old name of the usage where the new one is missing', () => {
    const old = 'vllm:gpu_cache_usage_perc{model_name="m"} 0.5'
    const cache = 'vllm:cache_config_info{block_size="16",num_gpu_blocks="1001"} 1'
    expect(engineGauges(page(old, cache))).toMatchObject({ kvUsage: 0.5, kvBlocksHeld: 500 })
    const both = page(old, `vllm:kv_cache_usage_perc{${core}} 0.25`)
    expect(engineGauges(both)).toMatchObject({ kvUsage: 0.25, kvBlocksHeld: null })
  })

  it.each(['None', '', '0', '-1', '1.5', '1e3'])(
    'know no blocks from num_gpu_blocks="%s"',
    (label) => {
      const text = page(
        `vllm:kv_cache_usage_perc{${core}} 0.5`,
        `vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="${label}"} 1`,
      )
      const { kvBlocksTotal, kvBlocksHeld, kvUsage, blockTokens } = engineGauges(text)
      expect({ kvBlocksTotal, kvBlocksHeld, kvUsage, blockTokens }).toEqual({
        kvBlocksTotal: null,
        kvBlocksHeld: null,
        kvUsage: 0.5,
        blockTokens: 16,
      })
    },
  )

  it('of several engine cores never add up to a capacity', () => {
    const text = page(
      'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.1',
      'vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.9',
      'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="101"} 1',
      'vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="91"} 1',
      'vllm:generation_tokens_total{engine="0",model_name="m"} 10',
      'vllm:generation_tokens_total{engine="1",model_name="m"} 20',
      'vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 1',
      'vllm:num_requests_waiting_by_reason{engine="1",model_name="m",reason="capacity"} 0',
      'vllm:websocket_connections_active{pid="7"} 3',
      'vllm:websocket_connections_active{pid="8"} 4',
    )
    expect(engineGauges(text)).toMatchObject({
      cores: 2,
      kvUsage: 0.9,
      kvBlocksTotal: 91,
      kvBlocksHeld: 10 + 81,
      generationTokens: 30,
      waitingCapacity: 1,
      deferred: null,
      websocketConnections: 7,
    })
  })
})
