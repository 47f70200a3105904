import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { projectRoot } from '../../src/config/project-root.js'
import { isoTime, systemClock } from '../../src/kernel/clock.js'
import { type ChaosNight, chaosNight } from '../chaos/chaos-night.js'
import { nightReport, REDONE_MS_MAX } from '../chaos/night-report.js'

/**
 * A night with bad weather: tone-coded recordings, two worker processes, a real Redis with AOF, a
 * real S3 server, two stand-in engines with few KV blocks, and faults without a break: workers
 * killed, frozen and restarted, engines gone, sockets cut or silent, Redis killed or frozen, S3
 * that refuses, is silent, or breaks off in mid-body. Same seed, same recordings and faults.
 *
 *   npm run bench:chaos -- [--seed 1] [--recordings 60] [--faults 200] [--minutes 11] [--logs DIR]
 *
 * No word lost or doubled, every job completed with one manifest and legs without a gap, at most 90
 * s of audio redone for a lost session, and nothing left held or lying: else the exit code is 1.
 */
const PACE = 3
const BLOCKS = 200
const CALM_MS = 15 * 60_000
/** Recordings are made and everything is started. */
const PREPARING_MS = 10 * 60_000
const SETTINGS = { legs: { floorMs: 10_000, ceilingMs: 60_000 } }

const { values: flags } = parseArgs({
  options: {
    seed: { type: 'string' },
    recordings: { type: 'string', default: '60' },
    faults: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '11' },
    logs: { type: 'string' },
  },
})

async function main(): Promise<void> {
  const clock = systemClock()
  const seed = flags.seed === undefined ? Math.floor(clock.wallMs() / 1000) % 1e6 : +flags.seed
  console.log(`seed ${seed}: replay it with --seed ${seed}`)
  const night = await chaosNight({
    ...{ seed, pace: PACE, faults: +flags.faults, stormMs: +flags.minutes * 60_000 },
    ...{ severity: 1, hasSilentStorage: true, waitsForDead: true },
    recordings: { count: +flags.recordings, secondsMin: 100, secondsMax: 240 },
    ...{ calmMs: CALM_MS, blocks: BLOCKS, settings: SETTINGS, logFolder: flags.logs ?? null },
    signal: ending(),
    onNews: (news) => void process.stderr.write(`\r\u001b[K${news}`),
  })
  process.stderr.write('\n')
  const { figures, redone, wentOn, wrong } = nightReport(night)
  const worstRedoneMs = Math.max(0, ...redone.map(({ audioMs }) => audioMs))
  if (worstRedoneMs > REDONE_MS_MAX) {
    wrong.push(`${Math.round(worstRedoneMs)} ms of audio were redone for one lost session`)
  }
  if (figures.faults_struck < +flags.faults) wrong.push('the jobs ended before all faults struck')
  const report = {
    bench: 'chaos',
    engine: `two stand-ins (tones), no GPU, ${BLOCKS - 1} KV blocks each, no step times`,
    date: isoTime(clock.wallMs()),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim(),
    machine: `${cpus()[0]?.model ?? '?'}, ${cpus().length} cores, Node ${process.version}`,
    seed,
    pace: PACE,
    ...figures,
    wrong,
  }
  for (const [name, value] of Object.entries(report)) console.log(name.padEnd(36), value)
  await store(report, night, { redone, wentOn })
  process.exitCode = wrong.length === 0 ? 0 : 1
}

/** Aborts when somebody says stop, and when the night takes longer than it can. */
function ending(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const limitMs = PREPARING_MS + 3 * +flags.minutes * 60_000 + CALM_MS
  return AbortSignal.any([stop.signal, AbortSignal.timeout(limitMs)])
}

/** Everything as it happened, so that the figures can be made again. */
async function store(
  report: { date: string; commit: string; seed: number },
  night: ChaosNight,
  raw: object,
): Promise<void> {
  const folder = join(projectRoot(), 'test', 'bench', 'results')
  await mkdir(folder, { recursive: true })
  const path = join(
    folder,
    `chaos-${report.date.slice(0, 10)}-${report.commit}-${report.seed}.json`,
  )
  const lines = (all: readonly unknown[]) => all.map((each) => `    ${JSON.stringify(each)}`)
  const lists = Object.entries({ ...raw, faults: night.faults, jobs: night.jobs })
  const listed = lists.map(([name, all]) => `  "${name}": [\n${lines(all).join(',\n')}\n  ]`)
  const head = JSON.stringify(report, null, 2).slice(0, -2)
  await writeFile(path, `${head},\n${listed.join(',\n')}\n}\n`)
  console.log(`everything as it happened: ${path}`)
}

await main()
// What a worker that had to be killed left open keeps nobody waiting.
process.exit()
