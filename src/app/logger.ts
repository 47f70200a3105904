import { type DestinationStream, type Logger, pino } from 'pino'
import { secretTexts, withoutSecrets } from '../config/redact.js'
import type { Settings } from '../config/schema.js'

/** Fields that no line has, whoever logs them: what was said, and what opens doors. */
const NEVER_LOGGED = [
  ...['text', 'detail', 'name', 'source', 'sourceName', 'key', 'engineKey', 'secretAccessKey'],
  ...['password', 'token', 'authorization', 'url', 'redisUrl'],
]

/**
 * The logger of a process, the only one: JSON lines on stderr, or readable ones where that is a
 * terminal. What lines say is up to each program's `events.ts`: static messages, ids, counts and
 * codes. Two nets are below: fields with telling names are left out, and of the finished line every
 * secret of the settings and every URL's credentials.
 *
 * @param stream takes the lines instead of stderr, as JSON
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

/** Lines for people: time, level, message, and the fields as `name=value`. */
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
  const clock = String(time).slice(11, 19) // of an ISO time
  return [clock, label.toUpperCase().padEnd(5), String(msg), ...pairs].join(' ')
}
