import { ConfigError } from '../../../src/kernel/errors.js'
import { WIRE_ERROR_CODES, type WireErrorCode } from '../wire/server-event.js'
import { SessionFaults } from './session-faults.js'

/**
 * When a connection is closed: instead of the greeting, of the answer to `session.update`, of a
 * delta, of what follows the final commit, or of `done`.
 */
const CLOSE_MOMENTS = ['greeting', 'update', 'delta', 'final', 'done'] as const

/** One of them. */
export type CloseMoment = (typeof CLOSE_MOMENTS)[number]

/**
 * What can be made to go wrong, with the parameters of each and their defaults. `afterDeltas`
 * counts the deltas of an utterance, `afterAppends` and `afterBytes` what was appended to one.
 */
const DEFAULTS = {
  /**
   * The engine process dies: an error frame to whoever generates, 1012 to everybody `closeMs`
   * later, `/health` 503 and then nobody listens, for `downMs` or, when negative, for good.
   * `abrupt` 1 imitates a killed server: no frame, and 1006 at once. `term` 1 imitates one that is
   * told to stop: no error, and 1012 at once. Whoever generates gets `abortDeltas` empty deltas
   * first, as of requests that the engine process still had the time to abort.
   */
  engine_death: { afterDeltas: 100, closeMs: 260, downMs: -1, abrupt: 0, term: 0, abortDeltas: 0 },
  /** The connection is open, and nobody greets. */
  no_greeting: {},
  /** The connection is gone without a close frame: 1006. */
  drop: { afterDeltas: 100 },
  /** The connection is closed with this code; `afterDeltas` counts for `at=delta` alone. */
  close: { code: 1011, at: 'delta' as CloseMoment, afterDeltas: 100 },
  /** No frame comes any more; the socket stays open and everything else looks well. */
  stall: { afterDeltas: 100 },
  /** The generation ends with an error; the socket stays usable. */
  processing_error: { afterDeltas: 100 },
  /** One `error` frame of any code; nothing else happens. */
  error_frame: { code: 'processing_error' as WireErrorCode, afterDeltas: 100 },
  /** `session.update` is answered as for a model that isn't served. */
  refuse_model: {},
  /** `done` while the client is still sending. */
  early_done: { afterDeltas: 100 },
  /** All deltas come, `done` doesn't. */
  no_done: {},
  /** The upgrade is answered with this HTTP status. */
  refuse: { status: 503 },
  /** `session.update` is acknowledged with `session.updated`. */
  ack_update: {},
  /** The deltas after the last audio don't come, and what text they would have had is lost. */
  no_right_padding: {},
  /** So many empty deltas more than the audio explains come after these; `usage` knows of none. */
  extra_deltas: { afterDeltas: 100, more: 1 },
  /** One delta in so many ms at most. */
  slow_deltas: { everyMs: 200 },
  /** The deltas of this range are empty, whatever was said. */
  blank_rut: { fromDelta: 100, toDelta: 300 },
  /** So many appends are dropped and answered with `buffer_full`. */
  buffer_full: { afterAppends: 100, times: 10 },
  /** Every append beyond so many PCM bytes is dropped and answered with `invalid_audio`. */
  invalid_audio: { afterBytes: 1_000_000 },
  /** An error and a close when nothing was received for so long. */
  idle_timeout: { afterMs: 30_000 },
}

/** Every kind there is. */
export type FaultKind = keyof typeof DEFAULTS

/** All parameters of one kind of fault. */
export type FaultParameters<K extends FaultKind> = Readonly<(typeof DEFAULTS)[K]>

/** Whom a fault befalls; every connection when neither is given. */
export interface FaultTarget {
  /** 0-based numbers of connections, in the order of connecting, refused ones included. */
  readonly sessions?: readonly number[]
  /** How many connections at most, of those that it may befall. */
  readonly count?: number
}

/** One fault, as data; parameters that are left out have their defaults. */
export type Fault = {
  [K in FaultKind]: { readonly kind: K } & Partial<FaultParameters<K>> & FaultTarget
}[FaultKind]

/** Deals faults out to connections as they come. */
export class FaultPlan {
  private entries: Array<{ fault: Fault; befell: number }> = []

  constructor(faults: readonly Fault[]) {
    this.set(faults)
  }

  /** Replaces all faults; connections that exist keep theirs. */
  set(faults: readonly Fault[]): void {
    this.entries = faults.map((fault) => ({ fault, befell: 0 }))
  }

  /** The faults of the connection with this number. */
  deal(sessionIndex: number): SessionFaults {
    const dealt = this.entries.filter(
      ({ fault: { sessions, count }, befell }) =>
        (sessions?.includes(sessionIndex) ?? true) && befell < (count ?? Number.POSITIVE_INFINITY),
    )
    for (const entry of dealt) entry.befell += 1
    const whole = dealt.map(({ fault }) => ({ ...DEFAULTS[fault.kind], ...fault }) as Fault)
    return new SessionFaults(whole)
  }
}

/**
 * Reads a fault from a command line: `stall:after_deltas=50,count=1`, `drop:sessions=0+3`.
 * @throws ConfigError naming what isn't understood and what would be
 */
export function parseFault(text: string): Fault {
  const colon = text.indexOf(':')
  const kind = colon < 0 ? text : text.slice(0, colon)
  if (!isFaultKind(kind)) {
    throw notUnderstood(text, `the kinds are ${Object.keys(DEFAULTS).join(', ')}`)
  }
  const fields = new Map(Object.keys(DEFAULTS[kind]).map((name) => [snakeCase(name), name]))
  fields.set('sessions', 'sessions').set('count', 'count')
  const fault: Record<string, unknown> = { kind }
  for (const assignment of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const [name = '', value = ''] = assignment.split('=', 2)
    const field = fields.get(name)
    if (!field) throw notUnderstood(text, `${kind} takes ${[...fields.keys()].join(', ')}`)
    const words = wordsOf(kind, field)
    if (words) {
      if (!words.includes(value)) throw notUnderstood(text, `${name} is one of ${words.join(', ')}`)
      fault[field] = value
      continue
    }
    const numbers = value.split('+').map((part) => (/^-?\d+$/.test(part) ? Number(part) : null))
    const isList = field === 'sessions'
    if (numbers.includes(null) || (!isList && numbers.length > 1)) {
      throw notUnderstood(text, `${name} must be a whole number${isList ? ', or some with +' : ''}`)
    }
    fault[field] = isList ? numbers : numbers[0]
  }
  return fault as unknown as Fault
}

/** What a parameter that is a word may be; null for a number. */
function wordsOf(kind: FaultKind, field: string): readonly string[] | null {
  if (kind === 'close' && field === 'at') return CLOSE_MOMENTS
  return kind === 'error_frame' && field === 'code' ? WIRE_ERROR_CODES : null
}

function isFaultKind(text: string): text is FaultKind {
  return Object.hasOwn(DEFAULTS, text)
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function notUnderstood(text: string, hint: string): ConfigError {
  return new ConfigError('config_invalid', `--fault ${text} is not understood: ${hint}.`)
}
