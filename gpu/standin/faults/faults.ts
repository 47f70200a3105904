import { ConfigError } from '../../../src/kernel/errors.js'
import { WIRE_ERROR_CODES } from '../wire/server-event.js'
import { CLOSE_MOMENTS, FAULT_DEFAULTS, type Fault, type FaultKind } from './fault-kinds.js'
import { SessionFaults } from './session-faults.js'

/** The former name of `blank_run`; it goes with the release after this one. */
const FORMER_BLANK_RUN = 'blank_rut'

/** Assigns faults to connections as they arrive. */
export class FaultPlan {
  private entries: Array<{ fault: Fault; befell: number }> = []

  constructor(faults: readonly Fault[]) {
    this.set(faults)
  }

  /** Replaces all faults; existing connections keep theirs. */
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
    const whole = dealt.map(({ fault }) => ({ ...FAULT_DEFAULTS[fault.kind], ...fault }) as Fault)
    return new SessionFaults(whole)
  }
}

/**
 * Parses a fault from a command line: `stall:after_deltas=50,count=1`, `drop:sessions=0+3`.
 * @throws ConfigError naming what isn't understood and what would be
 */
export function parseFault(text: string): Fault {
  const colon = text.indexOf(':')
  const given = colon < 0 ? text : text.slice(0, colon)
  const kind = given === FORMER_BLANK_RUN ? 'blank_run' : given
  if (!isFaultKind(kind)) {
    throw notUnderstood(text, `the kinds are ${Object.keys(FAULT_DEFAULTS).join(', ')}`)
  }
  const fields = new Map(Object.keys(FAULT_DEFAULTS[kind]).map((name) => [snakeCase(name), name]))
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

/** The values that a text parameter may have; null for a number. */
function wordsOf(kind: FaultKind, field: string): readonly string[] | null {
  if (kind === 'close' && field === 'at') return CLOSE_MOMENTS
  return kind === 'error_frame' && field === 'code' ? WIRE_ERROR_CODES : null
}

function isFaultKind(text: string): text is FaultKind {
  return Object.hasOwn(FAULT_DEFAULTS, text)
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function notUnderstood(text: string, hint: string): ConfigError {
  return new ConfigError('config_invalid', `--fault ${text} is not understood: ${hint}.`)
}
