import { describe, expect, it } from 'vitest'
import { jobStory, waitingText } from '../../../src/cli/job-story.js'
import { statusText } from '../../../src/cli/progress-view.js'
import type { JobCard } from '../../../src/queue/index.js'

/** By the clock of whoever reads it, as the text is. */
const at = (day: number, hour: number, minute: number) =>
  new Date(2026, 0, day, hour, minute).getTime()
const nowMs = at(5, 23, 10)
const waits = (place: number | null, expectedStartAtMs: number | null) =>
  waitingText({ place, expectedStartAtMs, reason: 'x' }, nowMs)

describe('what is said of a job that waits for room', () => {
  it.each([
    [1, '1st'],
    [2, '2nd'],
    [3, '3rd'],
    [4, '4th'],
    [11, '11th'],
    [12, '12th'],
    [13, '13th'],
    [20, '20th'],
    [21, '21st'],
    [102, '102nd'],
    [113, '113th'],
  ])('place %i is the %s', (place, said) => {
    expect(waits(place, null)).toBe(`waits for room, ${said} in line`)
  })

  it('says when it should start, with the date where that is a day ahead', () => {
    expect(waits(3, at(6, 2, 40))).toBe('waits for room, 3rd in line, expected at 02:40')
    expect(waits(null, at(7, 2, 5))).toBe('waits for room, expected on 2026-01-07 at 02:05')
    expect(waits(null, null)).toBe('waits for room')
  })

  it('stands in the list and in the story, with the reason', () => {
    const reason = 'No KV blocks are free.\u001b[2J'
    const waiting = { place: 3, expectedStartAtMs: at(6, 2, 40), reason }
    const card: JobCard = {
      jobId: 'one',
      status: 'queued',
      sourceName: 'a.wav',
      priority: 3,
      deadlineAt: null,
      audioMsTotal: null,
      audioMsDone: 0,
      fence: null,
      attempts: 0,
      error: null,
      waiting,
      warnings: [],
      engineIsStandin: null,
      cancelRequested: false,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      reachedAtMs: { created: nowMs },
    }
    const said = 'waits for room, 3rd in line, expected at 02:40'
    expect(statusText(card)).toBe(said)
    expect(statusText({ ...card, waiting: null })).toBe('waiting')
    const story = jobStory(card, null, { location: 'x', nowMs })
    expect(story).toContain(`Job one, ${said}.`)
    expect(story).toContain('There is no room for it: No KV blocks are free.�[2J')
  })
})
