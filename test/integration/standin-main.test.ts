import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import WebSocket from 'ws'

const MAIN = fileURLToPath(new URL('../../gpu/standin/main.ts', import.meta.url))
const running: ChildProcess[] = []

interface Started {
  child: ChildProcess
  stdout: () => string
  stderr: () => string
}

function start(...flags: string[]): Started {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...flags], { stdio: 'pipe' })
  running.push(child)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (data) => {
    stdout += String(data)
  })
  child.stderr?.on('data', (data) => {
    stderr += String(data)
  })
  return { child, stdout: () => stdout, stderr: () => stderr }
}

async function listening({ child, stdout }: Started): Promise<Record<string, unknown>> {
  while (!stdout().includes('\n')) {
    if (child.stdout) await once(child.stdout, 'data')
  }
  return JSON.parse(stdout()) as Record<string, unknown>
}

async function exitCodeOf({ child }: Started): Promise<number | null> {
  const [code] = await once(child, 'close')
  return code as number | null
}

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL')
})

describe('the stand-in as a process', () => {
  it('says where it listens, and closes with 1012 when it is told to end', async () => {
    const started = start('--port', '0', '--recognizer', 'tones', '--max-model-len', '4096')
    const line = await listening(started)
    expect(line).toEqual({
      event: 'listening',
      url: `ws://127.0.0.1:${line.port}/v1/realtime`,
      port: expect.any(Number),
      recognizer: 'tones',
      delta_delay_ms: 0,
      standin: true,
    })
    const client = new WebSocket(String(line.url))
    await once(client, 'message')
    const closed = once(client, 'close')
    const exited = exitCodeOf(started)
    started.child.kill('SIGTERM')
    expect((await closed)[0]).toBe(1012)
    expect(await exited).toBe(0)
    expect(started.stderr()).toBe('')
  })

  it('has the resources of a GPU and the accounting of a version', async () => {
    const resources = ['--gpu', 'l4', '--vllm', '0.24', '--block-size', '32', '--time-scale', '10']
    const started = start('--port', '0', '--recognizer', 'tones', ...resources)
    const { port } = await listening(started)
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    expect(await get('/version')).toBe('{"version":"0.24.0"}')
    expect(await get('/metrics')).toContain(
      'vllm:cache_config_info{block_size="32",engine="0",num_gpu_blocks="449"} 1.0',
    )
  })

  it('ends with its stdin when asked to', async () => {
    const started = start('--port', '0', '--recognizer', 'tones', '--exit-with-stdin')
    await listening(started)
    const exited = exitCodeOf(started)
    started.child.stdin?.end()
    expect(await exited).toBe(0)
  })

  it('exits with 1 when a fault ends it for good', async () => {
    const flags = ['--port', '0', '--recognizer', 'tones', '--fault']
    const started = start(...flags, 'engine_death:after_deltas=0,close_ms=0')
    const { url } = await listening(started)
    const exited = exitCodeOf(started)
    const client = new WebSocket(String(url))
    await once(client, 'message')
    client.send('{"type":"session.update","model":""}')
    client.send('{"type":"input_audio_buffer.commit"}')
    expect(await exited).toBe(1)
    expect(started.stderr()).toMatch(/died/)
  })

  it.each([
    [['--port', 'many'], /^standin: option '--port <number>' .*from 0 to 65535\.\n$/],
    [['--max-model-len', '39'], /whole number from 40/],
    [['--recognizer', 'ears'], /Allowed choices are moonshine, tones/],
    [['--fault', 'explode'], /^standin: --fault explode is not understood: the kinds are /],
    [['--sessions', '7'], /unknown option '--sessions'/],
    [['--blocks', '4'], /^standin: --blocks 4 can't hold the first step .* needs 5 or more\.\n$/],
    [['--gpu', 'b200'], /^standin: There is no GPU profile b200 .*there are: .*h200/],
    [['--vllm', 'nightly'], /^standin: --vllm nightly is not a version of vLLM/],
    [['--time-scale', '0'], /It must be a number from 0\.01 to 1000\.$/m],
    [['extra'], /too many arguments/],
  ])('%j is refused in one sentence, with 2', async (flags, sentence) => {
    const started = start(...flags)
    expect(await exitCodeOf(started)).toBe(2)
    expect(started.stderr()).toMatch(sentence)
    expect(started.stdout()).toBe('')
    expect(started.stderr().trim().split('\n')).toHaveLength(1)
  })

  it('explains its flags', async () => {
    const started = start('--help')
    expect(await exitCodeOf(started)).toBe(0)
    expect(started.stdout()).toContain('--max-num-seqs')
  })
})
