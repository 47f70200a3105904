import { type DestinationStream, type Logger, pino } from 'pino'
import { secretTexts, withoutSecrets } from '../config/redact.js'
import type { Settings } from '../config/schema.js'

/** Fields removed from every log line: transcribed text, names of recordings, and credentials. */
const NEVER_LOGGED = [
  ...['text', 'detail', 'name', 'source', 'sourceName', 'key', 'engineKey', 'secretAccessKey'],
  ...['password', 'token', 'authorization', 'url', 'redisUrl'],
]

/**
 * The only logger of a process: JSON lines on stderr, or readable lines on a terminal. Each
 * program's `events.ts` defines its messages: static texts with ids, counts and codes. Two
 * safeguards apply to every line: fields that may hold text or credentials are dropped, and secrets
 * of the settings and credentials in URLs are hidden in the finished line.
 *
 * @param stream receives JSON lines instead of stderr
 */
export function openLogger(settings: Settings, stream?: DestinationStream): Logger {
  const secrets = secretTexts(settings)
  return pino(
    {
      level: settings.log.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: NEVER_LOGGED.flatMap((name) => [name, `*.${name}`]), remove: true },
      hooks: { streamWrite: (line) => withoutSecrets(line, secrets) },
    },
    stream ?? (process.stderr.isTTY ? readableLines(process.stderr) : pino.destination(2)),
  )
}

/** Log lines for a terminal: time, level, message, and the fields as `name=value`. */
export function readableLines(target: { write(text: string): unknown }): DestinationStream {
  return {
    write(line) {
      target.write(`${readable(JSON.parse(line) as Record<string, unknown>)}\n`)
    },
  }
}

function readable({ level, time, pid: _, msg, ...fields }: Record<string, unknown>): string {
  const label = pino.levels.labels[Number(level)] ?? String(level)
  const pairs = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  const clock = String(time).slice(11, 19) // HH:MM:SS of an ISO time
  return [clock, label.toUpperCase().padEnd(5), String(msg), ...pairs].join(' ')
}
