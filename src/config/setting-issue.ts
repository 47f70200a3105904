import type { z } from 'zod'

/** A schema issue as a sentence for the operator that begins with `must`. Pure. */
export function issueSentence(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${typeNames[issue.expected] ?? issue.expected}`
    case 'too_small':
      return `must be ${boundOf(issue.origin, 'at least', issue.minimum)}`
    case 'too_big':
      return `must be ${boundOf(issue.origin, 'at most', issue.maximum)}`
    case 'invalid_value':
      return `must be one of ${issue.values.join(', ')}`
    case 'invalid_format':
      return formatSentence(issue)
    default:
      return `isn't valid (${issue.message})`
  }
}

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
}

function boundOf(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `${bound} ${limit} characters long`
  if (origin === 'array') return `a list of ${bound} ${limit}`
  return `${bound} ${limit}`
}

function formatSentence(issue: z.core.$ZodIssueInvalidStringFormat): string {
  if (issue.format !== 'url') return `must match ${issue.pattern ?? issue.format}`
  const isWebSocket = issue.pattern?.includes('wss') === true
  return isWebSocket ? 'must be ws:// or wss:// addresses' : 'must be a full address with https://'
}
