import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { envExample } from '../src/config/env-example.js'
import * as codeChecks from './tidy/code-checks.js'
import type { Check, Finding } from './tidy/finding.js'
import { importCircles, importTable, portsOnly, zodAtEdges } from './tidy/import-checks.js'
import { partsOf, readRepository, type SourceText } from './tidy/source-text.js'

const checks: readonly Check[] = [
  ...Object.values(codeChecks),
  importTable,
  importCircles,
  portsOnly,
  zodAtEdges,
]

/** Where a rule costs more than it gives. This list may only shrink. */
const exceptions: readonly { check: string; path: RegExp; why: string }[] = [
  {
    check: 'banned calls',
    path: /^src\/cli\/setup\/setup(-\w+)?\.mjs$/,
    why: 'runs before the kernel is compiled',
  },
  {
    check: 'lengths',
    path: /^src\/admission\/lane\/lane-chain\.ts$/,
    why: 'one state machine: its states change together with the ledger, and read together',
  },
]

function isException({ check, path }: Finding): boolean {
  return exceptions.some((exception) => exception.check === check && exception.path.test(path))
}

const repository = readRepository(fileURLToPath(new URL('..', import.meta.url)))

describe('the repository', () => {
  it.each(checks)('$name', (check) => {
    const findings = check.find(repository).filter((finding) => !isException(finding))
    const lines = findings.map(({ path, line, what }) => `${path}:${line}: ${what}`)
    expect(lines).toStrictEqual([])
  })

  it('has a .env.example with every setting of the schema', async () => {
    // Written anew by `npx vitest run test/tidy.test.ts -u`.
    await expect(envExample()).toMatchFileSnapshot('../.env.example')
  })

  it('has files of a length that can be read at once', () => {
    const lengths = repository
      .filter(({ path }) => /^(?:src|jobs|gpu)\/.*\.ts$/.test(path))
      .map(({ text }) => text.split('\n').length - 1)
      .sort((one, other) => one - other)
    const median = lengths[Math.floor(lengths.length / 2)] ?? 0
    console.info(`${lengths.length} files, median ${median} lines, longest ${lengths.at(-1)}`)
    expect(median).toBeLessThanOrEqual(250)
  })

  it('needs every exception that is listed', () => {
    const findings = checks.flatMap((check) => check.find(repository))
    const idle = exceptions.filter(
      ({ check, path }) => !findings.some((f) => f.check === check && path.test(f.path)),
    )
    expect(idle).toStrictEqual([])
  })
})

/** Text that would be a finding in this very file if it stood here in one piece. */
const split = (...pieces: string[]) => pieces.join('')
const file = (path: string, ...lines: string[]): SourceText => ({ path, text: lines.join('\n') })
const imports = (specifier: string) => `import { a } from '${specifier}'`

/**
 * For each check what it must find, a file or several together, and its nearest neighbours that it
 * must leave alone.
 */
const planted: Record<string, { wrong: (SourceText | SourceText[])[]; right: SourceText[] }> = {
  'import table': {
    wrong: [
      file('src/kernel/clock.ts', imports('../media/pcm.js')),
      file('src/media/pcm.ts', imports('../storage/keys.js')),
      file('src/pipeline/run.ts', imports('../cli/main.js')),
      file('src/cli/up.ts', imports('../../jobs/worker.js')),
      file('src/cli/up.ts', "const standin = await import('../../gpu/standin/main.js')"),
      file('src/cli/up.ts', "export { fake } from '../../test/fakes/step-clock.js'"),
      file('gpu/standin/main.ts', imports('../../src/pipeline/index.js')),
      file('src/queue/index.ts', 'import {', '  a,', "} from '../admission/index.js'"),
    ],
    right: [
      file('src/media/pcm.ts', imports('../kernel/clock.js'), imports('./step-law.js')),
      file('src/cli/up.ts', imports('../pipeline/index.js'), imports('node:fs'), imports('ws')),
      file('src/media/pcm.ts', "// not like import x from '../cli/main.js'"),
      file('test/unit/pcm.test.ts', imports('../../src/media/pcm.js')),
    ],
  },
  'import circles': {
    wrong: [
      [file('src/media/a.ts', imports('./b.js')), file('src/media/b.ts', imports('./a.js'))],
      [
        file('src/media/a.ts', imports('./b.js')),
        file('src/media/b.ts', imports('../model/c.js')),
        file('src/model/c.ts', "import type { A } from '../media/a.js'"),
      ],
      file('jobs/a.ts', imports('./a.js')),
    ],
    right: [
      file('src/media/a.ts', imports('./b.js'), imports('./c.js')),
      file('src/media/b.ts', imports('./c.js')),
      file('src/media/c.ts'),
    ],
  },
  'ports only': {
    wrong: [
      [
        file('src/storage/s3-object-store.ts', imports('@aws-sdk/client-s3')),
        file('src/pipeline/run.ts', imports('../storage/s3-object-store.js')),
      ],
    ],
    right: [
      file('src/storage/keys.ts', imports('../kernel/errors.js')),
      file('src/pipeline/run.ts', imports('../storage/keys.js')),
    ],
  },
  'zod at edges': {
    wrong: [file('src/pipeline/run.ts', imports('zod')), file('jobs/worker.ts', imports('zod'))],
    right: [
      file('src/config/schema.ts', imports('zod')),
      file('src/realtime/wire-codec.ts', imports('zod')),
    ],
  },
  'banned calls': {
    wrong: [
      file('src/media/pcm.ts', 'const now = Date.now()'),
      file('src/media/pcm.ts', 'const now = performance.now()'),
      file('src/cli/up.ts', 'setTimeout(stop, 5)'),
      file('src/cli/up.ts', 'import { setInterval } from "node:timers/promises"'),
      file('src/cli/up.ts', 'const chance = Math.random()'),
      file('src/cli/up.ts', 'const id = randomUUID()'),
      file('src/cli/up.ts', 'const id = randomBytes(8)'),
      file('src/cli/up.ts', `const text = \`\${Date.now()} ms\``),
      file('jobs/worker.ts', 'const { PATH } = process.env'),
    ],
    right: [
      file('src/kernel/clock.ts', 'const now = Date.now()'),
      file('src/config/environment.ts', 'return process.env'),
      file('gpu/standin/server.ts', 'setTimeout(stop, 5)'),
      file('src/cli/up.ts', '// not Date.now()', "const text = 'Math.random()'"),
      file('src/cli/up.ts', 'const pattern = /process.env/', 'const date = new Date(wallMs)'),
    ],
  },
  'file names': {
    wrong: [
      file('src/media/utils.ts'),
      file('src/media/audio-helpers.ts'),
      file('src/common/pcm.ts'),
      file('src/queue/types.ts'),
      file('jobs/job-manager.ts'),
      file('src/media/pcmFrames.ts'),
    ],
    right: [file('src/media/pcm-frames.ts'), file('test/unit/media/pcm.test.ts')],
  },
  'folder sizes': {
    wrong: [Array.from({ length: 17 }, (_, index) => file(`src/media/file-${index}.ts`))],
    right: [
      ...Array.from({ length: 16 }, (_, index) => file(`src/media/file-${index}.ts`)),
      file('src/media/index.ts'),
      file('src/media/vad/vad.ts'),
      file('src/media/README.md'),
    ],
  },
  lengths: {
    wrong: [
      file('src/media/pcm.ts', ...Array<string>(402).fill('')),
      file('src/media/pcm.ts', 'x'.repeat(101)),
      file('src/media/pcm.ts', `  // ${'x'.repeat(96)}`),
      file('src/media/pcm.ts', 'export function f() {', ...Array<string>(69).fill('  a()'), '}'),
      file('src/media/pcm.ts', '  async run() {', ...Array<string>(69).fill('    a()'), '  }'),
    ],
    right: [
      file('src/media/pcm.ts', ...Array<string>(401).fill('')),
      file('src/media/pcm.ts', 'ö'.repeat(100), `// ${'x'.repeat(97)}`),
      file('src/media/pcm.ts', `  throw new Error('${'a sentence '.repeat(20)}')`),
      file('src/media/pcm.ts', 'export function f() {', ...Array<string>(68).fill('  a()'), '}'),
      file('package-lock.json', 'x'.repeat(500)),
    ],
  },
  markers: {
    wrong: [
      file('src/media/pcm.ts', split('// FIX', 'ME: later')),
      file('src/media/pcm.ts', split('/* XX', 'X */')),
      file('test/unit/pcm.test.ts', split('// TO', 'DO write it')),
    ],
    right: [file('src/media/pcm.ts', '// @TODO when vLLM answers', "const mark = 'NOTE'")],
  },
  docstrings: {
    wrong: [
      file('src/media/pcm.ts', 'export const rate = 16_000'),
      file('src/media/pcm.ts', '// not enough', 'export function rate() {}'),
      file('jobs/worker.ts', 'export interface Payload {}'),
      file('src/cli/setup/setup.mjs', 'export async function setUp() {}'),
    ],
    right: [
      file('src/media/pcm.ts', '/** Hz. */', 'export const rate = 16_000'),
      file('src/media/index.ts', "export { rate } from './pcm.js'"),
      file('test/fakes/clock.ts', 'export const clock = 1'),
    ],
  },
  'empty catches': {
    wrong: [
      file('src/media/pcm.ts', 'try {', '  a()', '} catch {}'),
      file('src/media/pcm.ts', 'try {', '  a()', '} catch (error) {', '}'),
      file('src/media/pcm.ts', 'a().catch(() => {})'),
    ],
    right: [
      file('src/media/pcm.ts', 'try {', '  a()', '} catch {', '  // it is gone already', '}'),
      file('src/media/pcm.ts', 'a().catch(() => {}) // whoever cares waits for it'),
      file('src/media/pcm.ts', 'a().catch(() => null)'),
    ],
  },
  'whole suite': {
    wrong: [
      file('test/unit/a.test.ts', split('it.on', "ly('a', run)")),
      file('test/unit/a.test.ts', split('describe.sk', "ip('a', run)")),
      file('test/unit/a.test.ts', split('it.to', "do('a')")),
      file('test/unit/a.test.ts', split("it('a', { ret", 'ry: 2 }, run)')),
    ],
    right: [file('test/unit/a.test.ts', "it('skips nothing', run)", '// .only( is banned')],
  },
  'machine paths': {
    wrong: [
      file('README.md', split('see /wo', 'rk/notes')),
      file('test/a.ndjson', split('{"path":"/ro', 'ot/x"}')),
      file('src/media/pcm.ts', split("const path = '/ho", "me/me/x'")),
    ],
    right: [
      file('README.md', split('npm/wo', 'rk/x'), 'https://example.com/home/', split('./wo', 'rk/')),
    ],
  },
  'registry hosts': {
    wrong: [file('package-lock.json', '"resolved": "https://registry.example/a.tgz"')],
    right: [
      file('package-lock.json', '"version": "1.0.0"'),
      file('README.md', '"resolved": "https://registry.example/a.tgz"'),
    ],
  },
}

describe('the checks themselves', () => {
  it('have all been planted', () => {
    expect(Object.keys(planted).sort()).toStrictEqual(checks.map(({ name }) => name).sort())
  })

  it.each(checks)('$name finds what is wrong and nothing else', (check) => {
    const { wrong = [], right = [] } = planted[check.name] ?? {}
    for (const files of wrong.map((each) => (Array.isArray(each) ? each : [each]))) {
      expect(check.find(files), files[0]?.text).not.toStrictEqual([])
    }
    expect(check.find(right)).toStrictEqual([])
  })

  it('tell program, texts and comments apart', () => {
    const hole = ['$', "{a ? 'x' : c}"].join('')
    const code = `const a = /['"]/g // it's\nconst b = \`${hole}d\` /* e */ / 2\nreturn /[/]\`/`
    const { program, comments } = partsOf(code)
    expect(program).toHaveLength(code.length)
    expect(program.replace(/ +/g, ' ')).toBe(`const a = \nconst b = ${hole} / 2\nreturn `)
    expect(comments.replace(/\s+/g, ' ')).toBe(" // it's /* e */ ")
  })
})
