import { execFile, spawn } from 'node:child_process'
import { access, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { isoTime, systemClock } from '../../src/kernel/clock.js'
import { systemRandom } from '../../src/kernel/random.js'
import { analyseMedia } from '../../src/media/analyse.js'
import { decodeRecording } from '../../src/media/ffmpeg/decode-recording.js'
import { checkFfmpeg } from '../../src/media/ffmpeg/ffmpeg-binaries.js'
import { type MediaTools, openMediaTools } from '../../src/media/media-tools.js'
import { fileSource } from '../fakes/media-sources.js'

/**
 * How fast four recordings of an hour are decoded together, against plain ffmpeg. Three ways:
 * `plain` is `ffmpeg -i FILE -f s16le pipe:1`, read by Node and dropped; `decode` is our decode
 * path (range proxy, checks, hash, driver library), its PCM dropped; `analysis` is the whole pass
 * with voice activity and FLAC. The first round of each is left out, then they alternate.
 *
 * Usage: npm run bench:decode [-- --rounds 3 --no-analysis]. The recordings are kept in
 * .nightscribe/bench.
 * Exit code 1 when `decode` reaches less than 0.9 of `plain`.
 */

const BENCH_DIR = path.join('.nightscribe', 'bench')
const HOUR_SECONDS = 3600
const RATIO_MIN = 0.9
const RECORDINGS = [
  { name: 'hour.mp3', args: ['-c:a', 'libmp3lame', '-b:a', '128k'] },
  { name: 'hour.m4a', args: ['-c:a', 'aac', '-b:a', '96k'] },
  { name: 'hour.opus', args: ['-c:a', 'libopus', '-b:a', '32k', '-ar', '48000'] },
  { name: 'hour.wav', args: ['-c:a', 'pcm_s16le', '-ar', '16000'] },
]
/** Five minutes of voice in noise are made once and repeated. */
const VOICE =
  "flite=text='The board meets every Monday. Last week we spoke about the budget, and today we " +
  "will talk about the new office, the train to the north and who will bring the coffee.':voice=rms"

const never = new AbortController().signal
const clock = systemClock()
const run = promisify(execFile)

interface Round {
  wallMs: number
  nodeCpuMs: number
  /** Of Node and of all processes it has started and reaped; NaN where there is no /proc. */
  cpuMs: number
  nodeRssMb: number[]
}

async function makeRecordings(): Promise<string[]> {
  await mkdir(BENCH_DIR, { recursive: true })
  const part = path.join(BENCH_DIR, 'part.wav')
  const mix = '[0]apad=pad_dur=1.5,aloop=-1:size=400000[v];[v][1]amix=duration=shortest:normalize=0'
  const inputs = ['-f', 'lavfi', '-i', VOICE, '-f', 'lavfi', '-i', 'anoisesrc=c=pink:a=0.01:d=300']
  const files = RECORDINGS.map(({ name }) => path.join(BENCH_DIR, name))
  const quiet = ['-v', 'error', '-nostdin', '-y']
  for (const [index, file] of files.entries()) {
    const known = await access(file).then(
      () => true,
      () => false, // not made yet
    )
    if (known) continue
    process.stderr.write(`making ${file}\n`)
    const wav = ['-filter_complex', mix, '-ac', '1', '-ar', '44100', part]
    await run('ffmpeg', [...quiet, ...inputs, ...wav])
    const repeated = ['-stream_loop', '-1', '-i', part, '-t', String(HOUR_SECONDS)]
    await run('ffmpeg', [...quiet, ...repeated, ...(RECORDINGS[index]?.args ?? []), file])
    await rm(part)
  }
  return files
}

function plain(file: string): Promise<void> {
  const args = ['-v', 'error', '-nostdin', '-i', file, '-vn', '-ac', '1', '-ar', '16000']
  const child = spawn('ffmpeg', [...args, '-f', 's16le', 'pipe:1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.resume()
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
  })
}

const limits = { durationMaxMs: 7_200_000, sourceBytesMax: 2 ** 40, channelsMax: 8 }

async function decode(tools: MediaTools, file: string): Promise<void> {
  const options = { tools, channels: 'mix' as const, limits, flacPath: null }
  const sinkFor = () => () => {}
  await decodeRecording(fileSource(file), { ...options, sinkFor }, { signal: never })
}

async function analyse(tools: MediaTools, file: string): Promise<void> {
  const speech = { speechMinMs: 250, silenceMinMs: 300, pauseMinMs: 400 }
  const options = { tools, channels: 'mix' as const, limits, speech }
  await using _ = await analyseMedia(fileSource(file), options, { signal: never })
}

/** CPU time of all reaped children so far: fields 16 and 17 of /proc/self/stat, in 1/100 s. */
async function childrenCpuMs(): Promise<number> {
  const stat = await readFile('/proc/self/stat', 'utf8').catch(() => '') // not Linux
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13] ?? Number.NaN) + Number(fields[14] ?? Number.NaN)) * 10
}

async function round(files: string[], work: (file: string) => Promise<void>): Promise<Round> {
  const nodeRssMb: number[] = []
  const sample = () => nodeRssMb.push(Math.round(process.memoryUsage.rss() / 2 ** 20))
  const timer = setInterval(sample, 500)
  const cpu = process.cpuUsage()
  const childrenMs = await childrenCpuMs()
  const startMs = clock.monotonicMs()
  try {
    await Promise.all(files.map(work))
  } finally {
    clearInterval(timer)
  }
  sample()
  const { user, system } = process.cpuUsage(cpu)
  const wallMs = clock.monotonicMs() - startMs
  const nodeCpuMs = (user + system) / 1000
  return { wallMs, nodeCpuMs, cpuMs: nodeCpuMs + (await childrenCpuMs()) - childrenMs, nodeRssMb }
}

const median = (values: number[]) =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN

function row(name: string, rounds: Round[]) {
  const wallMs = median(rounds.map((each) => each.wallMs))
  const rss = rounds.flatMap((each) => each.nodeRssMb)
  return {
    way: name,
    wall_ms: Math.round(wallMs),
    x_realtime: Math.round((RECORDINGS.length * HOUR_SECONDS * 1000) / wallMs),
    cpu_ms: Math.round(median(rounds.map((each) => each.cpuMs))),
    node_cpu_ms: Math.round(median(rounds.map((each) => each.nodeCpuMs))),
    node_rss_mb_first: rss[0] ?? null,
    node_rss_mb_max: Math.max(...rss),
    node_rss_mb_last: rss.at(-1) ?? null,
  }
}

/** How fast `decode` was as a share of `plain`, round by round. */
function ratiosOf(
  ways: { plain: { rounds: Round[] }; decode: { rounds: Round[] } },
  what: 'wallMs' | 'cpuMs',
): number[] {
  return ways.plain.rounds.map((each, index) => {
    const ratio = each[what] / (ways.decode.rounds[index]?.[what] ?? Number.NaN)
    return Number(ratio.toFixed(3))
  })
}

/** At most 40 of the samples, evenly spread. */
function thinned(last: Round | undefined): number[] {
  const samples = last?.nodeRssMb ?? []
  const every = Math.ceil(samples.length / 40)
  return samples.filter((_, index) => index % every === 0)
}

async function machine(): Promise<Record<string, string | number>> {
  const { ffmpegVersion } = await checkFfmpeg(
    { ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe' },
    { signal: never },
  )
  const commit = await run('git', ['rev-parse', '--short', 'HEAD']).then(
    ({ stdout }) => stdout.trim(),
    () => 'unknown', // not a checkout
  )
  return {
    date: isoTime(clock.wallMs()),
    commit,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    ffmpeg: ffmpegVersion,
  }
}

async function main(): Promise<void> {
  const at = process.argv.indexOf('--rounds')
  const roundCount = at < 0 ? 3 : Number(process.argv[at + 1])
  const files = await makeRecordings()
  const spoolDir = await mkdtemp(path.join(tmpdir(), 'nightscribe-bench-'))
  await using tools = await openMediaTools(
    {
      ffmpegPath: 'ffmpeg',
      ffprobePath: 'ffprobe',
      spoolDir,
      decodeTimeoutMs: 3_600_000,
      vad: { method: 'auto', threshold: 0.5 },
      clock,
      random: systemRandom(),
    },
    { signal: never },
  )
  const ways = {
    plain: { work: plain, rounds: [] as Round[] },
    decode: { work: (file: string) => decode(tools, file), rounds: [] as Round[] },
    analysis: { work: (file: string) => analyse(tools, file), rounds: [] as Round[] },
  }
  try {
    for (let turn = 0; turn <= roundCount; turn += 1) {
      // Every other round the other way round, so that neither always follows the same neighbour.
      const order = turn % 2 === 0 ? Object.entries(ways) : Object.entries(ways).reverse()
      for (const [name, way] of order) {
        if (name === 'analysis' && process.argv.includes('--no-analysis')) continue
        const result = await round(files, way.work)
        process.stderr.write(`round ${turn}, ${name}: ${Math.round(result.wallMs)} ms\n`)
        if (turn > 0) way.rounds.push(result)
      }
    }
  } finally {
    await rm(spoolDir, { recursive: true, force: true })
  }
  const ratios = ratiosOf(ways, 'wallMs')
  const ratio = median(ratios)
  const table = Object.entries(ways)
    .filter(([, { rounds }]) => rounds.length > 0)
    .map(([name, { rounds }]) => row(name, rounds))
  console.table(table)
  console.log(
    JSON.stringify({
      ...(await machine()),
      vad: tools.vad.method,
      ratio_decode_to_plain: ratio,
      ratios,
      // What a machine that is busy with other things doesn't blur.
      cpu_ratio_decode_to_plain: median(ratiosOf(ways, 'cpuMs')),
      table,
      rss_mb_of_decode: thinned(ways.decode.rounds.at(-1)),
      rss_mb_of_analysis: thinned(ways.analysis.rounds.at(-1)),
    }),
  )
  if (!(ratio >= RATIO_MIN)) process.exitCode = 1
}

await main()
