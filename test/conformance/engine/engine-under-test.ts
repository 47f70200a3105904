/** The real engine of the engine suite, as the environment names it. */
export interface EngineUnderTest {
  /** `ws://host:port`, without a path. */
  address: string
  /** Bearer key; null for none. */
  key: string | null
}

/** What an engine says of itself. */
export interface EngineLimits {
  maxModelLen: number
  /** KV blocks that sessions can use; null when its metrics don't say. */
  kvBlocksUsable: number | null
}

/** Reads NIGHTSCRIBE_TEST_ENGINE and NIGHTSCRIBE_TEST_ENGINE_KEY; null when the first is unset. */
export function engineUnderTest(): EngineUnderTest | null {
  const url = process.env.NIGHTSCRIBE_TEST_ENGINE
  if (!url) return null
  const { protocol, host } = new URL(url)
  return { address: `${protocol}//${host}`, key: process.env.NIGHTSCRIBE_TEST_ENGINE_KEY ?? null }
}

/** The same, where there must be one: in a part of the suite that was chosen to run. */
export function requireEngine(): EngineUnderTest {
  const engine = engineUnderTest()
  if (!engine) throw new Error('Set NIGHTSCRIBE_TEST_ENGINE to run a part of the engine suite.')
  return engine
}

/** Asks the engine. @throws Error when it doesn't answer as a vLLM does */
export async function engineLimits({ address, key }: EngineUnderTest): Promise<EngineLimits> {
  const base = address.replace(/^ws/, 'http')
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
  const listed = await fetch(new URL('/v1/models', base), { headers })
  if (!listed.ok) {
    throw new Error(
      `The engine at ${address} answers /v1/models with ${listed.status}; is its key in NIGHTSCRIBE_TEST_ENGINE_KEY?`,
    )
  }
  const { data } = (await listed.json()) as { data: Array<{ max_model_len?: number }> }
  const maxModelLen = data[0]?.max_model_len
  if (!maxModelLen) throw new Error(`The engine at ${address} doesn't say its max_model_len.`)
  const metrics = await (await fetch(new URL('/metrics', base))).text()
  const blocks = /num_gpu_blocks="(\d+)"/.exec(metrics)?.[1]
  return { maxModelLen, kvBlocksUsable: blocks === undefined ? null : Number(blocks) - 1 }
}
