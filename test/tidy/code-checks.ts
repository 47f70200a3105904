import { posix } from 'node:path'
import { type Check, type Finding, fileCheck } from './finding.js'
import { isCode, isIn, lineAt, partsOf, type SourceText } from './source-text.js'

const linesMax = 400
const columnsMax = 100
const functionLinesMax = 70
const folderFilesMax = 16

/** What only one folder may touch, so that everything else can be tested on a clock of its own. */
const homes: readonly { call: RegExp; home: string; where: readonly string[] }[] = [
  {
    call: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bset(?:Timeout|Interval)\b/g,
    home: 'src/kernel',
    where: ['src'],
  },
  {
    call: /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/g,
    home: 'src/kernel',
    where: ['src'],
  },
  { call: /\bprocess\.env\b/g, home: 'src/config', where: ['src', 'jobs', 'gpu'] },
]

function matchesIn(text: string, pattern: RegExp): { line: number; found: string }[] {
  return [...text.matchAll(pattern)].map((match) => ({
    line: lineAt(text, match.index),
    found: match[0],
  }))
}

/** Time, chance and the environment are arguments outside their homes. */
export const bannedCalls: Check = fileCheck(
  'banned calls',
  (file) => isCode(file) && isIn(file, 'src', 'jobs', 'gpu'),
  (file) =>
    homes
      .filter(({ home, where }) => isIn(file, ...where) && !isIn(file, home))
      .flatMap(({ call, home }) =>
        matchesIn(partsOf(file.text).program, call).map(({ line, found }) => ({
          line,
          what: `${found} belongs to ${home}`,
        })),
      ),
)

/** One concept a file, named for it. */
export const fileNames: Check = fileCheck('file names', isCode, (file) => {
  const findings: { line: number; what: string }[] = []
  for (const name of file.path.replace(/(\.[a-z0-9]+)+$/, '').split('/')) {
    const words = name.split('-')
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) && !name.startsWith('.')) {
      findings.push({ line: 0, what: `${name} isn't kebab-case` })
    }
    if (words.some((word) => /^(utils?|helpers?|common|types|manager|services?|lib)$/.test(word))) {
      findings.push({ line: 0, what: `${name} is named for a role, not for a concept` })
    }
  }
  return findings
})

/**
 * A screenful a function, a sitting a file, lines that fit. What stands between quotes doesn't
 * count: a sentence in one piece can be searched for.
 */
export const lengths: Check = fileCheck('lengths', isCode, (file) => {
  const lines = file.text.split('\n')
  const { program, comments } = partsOf(file.text)
  const commentLines = comments.split('\n')
  const long = program.split('\n').flatMap((line, index) => {
    const code = `${line.trimStart().replace(/\s{2,}/g, ' ')}${commentLines[index]?.trim()}`
    const columns = (/^\s*/.exec(lines[index] ?? '')?.[0].length ?? 0) + [...code].length
    const what = `${columns} columns besides texts, at most ${columnsMax}`
    return columns > columnsMax ? [{ line: index + 1, what }] : []
  })
  const count = lines.length - 1
  const tooLong = count > linesMax ? [{ line: 0, what: `${count} lines, at most ${linesMax}` }] : []
  const isSource = isIn(file, 'src', 'jobs', 'gpu', 'samples')
  return [...tooLong, ...long, ...(isSource ? longFunctions(lines) : [])]
})

/** Functions and methods by their indentation, which is the formatter's. */
function longFunctions(lines: readonly string[]): { line: number; what: string }[] {
  return lines.flatMap((line, index) => {
    const head = /^(\s*)(?:export )?(?:async )?(?:function\b|\*?\[?[\w.#]+\]?\().*\{$/.exec(line)
    if (head === null || /^\s*(if|for|while|switch|describe|it)\b/.test(line)) return []
    const ends = [`${head[1]}}`, `${head[1]}},`]
    const length = lines.slice(index).findIndex((end) => ends.includes(end)) + 1
    return length > functionLinesMax
      ? [{ line: index + 1, what: `a function of ${length} lines, at most ${functionLinesMax}` }]
      : []
  })
}

/** A folder is read at a glance: what is more has rooms in it. Its `index.ts` doesn't count. */
export const folderSizes: Check = {
  name: 'folder sizes',
  find(files) {
    const code = files.filter((file) => isCode(file) && isIn(file, 'src', 'jobs', 'gpu'))
    const counts = new Map<string, number>()
    for (const { path } of code) {
      if (posix.basename(path) === 'index.ts') continue
      const folder = posix.dirname(path)
      counts.set(folder, (counts.get(folder) ?? 0) + 1)
    }
    return [...counts].flatMap(([path, count]): Finding[] => {
      const what = `${count} files, at most ${folderFilesMax}`
      return count > folderFilesMax ? [{ check: 'folder sizes', path, line: 0, what }] : []
    })
  },
}

/** `@NOTE` and `@TODO` are the only markers. */
export const markers: Check = fileCheck('markers', isCode, (file) =>
  matchesIn(partsOf(file.text).comments, /\b(?:FIXME|XXX|HACK|TBD)\b|(?<!@)\b(?:TODO|NOTE)\b/g).map(
    ({ line, found }) => ({ line, what: `${found}: only @NOTE and @TODO mark anything` }),
  ),
)

const exported =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let) (\w+)/gm

/** What a folder offers is explained where it stands. */
export const docstrings: Check = fileCheck(
  'docstrings',
  (file) => isCode(file) && isIn(file, 'src', 'jobs', 'gpu'),
  (file) => {
    const { program } = partsOf(file.text)
    return [...program.matchAll(exported)].flatMap((match) => {
      const before = file.text.slice(0, match.index).trimEnd()
      const isOverload = before.split('\n').at(-1)?.startsWith(`export function ${match[1]}(`)
      if (before.endsWith('*/') || isOverload) return []
      return [{ line: lineAt(file.text, match.index), what: `${match[1]} has no docstring` }]
    })
  },
)

/** Nothing is swallowed without a reason. */
export const emptyCatches: Check = fileCheck('empty catches', isCode, (file) => {
  const { program, comments } = partsOf(file.text)
  const empty =
    /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}|\.catch\(\s*(?:\([^)]*\)|\w+)\s*=>\s*\{\s*\}\s*\)/g
  const commentLines = comments.split('\n')
  return [...program.matchAll(empty)].flatMap((match) => {
    const first = lineAt(program, match.index)
    const last = lineAt(program, match.index + match[0].length)
    // Inside, behind it, or in the line above.
    const near = commentLines.slice(Math.max(0, first - 2), last).join('')
    return near.trim() === '' ? [{ line: first, what: 'an empty catch needs a sentence' }] : []
  })
})

/** All tests run, each once. */
export const wholeSuite: Check = fileCheck(
  'whole suite',
  (file) => isCode(file) && isIn(file, 'test'),
  (file) =>
    matchesIn(
      partsOf(file.text).program,
      /\.(?:only|skip|todo|skipIf|runIf|fails)\(|\bretry:/g,
    ).map(({ line, found }) => ({ line, what: `${found} in a test` })),
)

/** Programs and pages that others will read, on machines of their own. */
export const machinePaths: Check = fileCheck(
  'machine paths',
  () => true,
  (file: SourceText) =>
    matchesIn(file.text, /(?<![\w.-])\/(?:work|root|home)\/(?=\w)/g).map(({ line, found }) => ({
      line,
      what: `${found} is a path of one machine`,
    })),
)

/** The lock file serves every registry. */
export const registryHosts: Check = fileCheck(
  'registry hosts',
  ({ path }) => path === 'package-lock.json',
  (file) =>
    matchesIn(file.text, /"resolved": "https?:[^"]*"/g).map(({ line, found }) => ({
      line,
      what: `${found}: install with omit-lockfile-registry-resolved`,
    })),
)
