import { describe, expect, it } from 'vitest'
import { followText, LiveLines } from '../../../../src/cli/jobs/live-text.js'
import { UpstreamError } from '../../../../src/kernel/errors.js'
import type { JobStore, StreamedEvent } from '../../../../src/queue/index.js'
import { StepClock } from '../../../fakes/step-clock.js'

function linesOf(groups: readonly (readonly [endMs: number, text: string])[]): string[] {
  const lines: string[] = []
  const live = new LiveLines((line) => lines.push(line))
  for (const [endMs, text] of groups) live.add({ endMs, text })
  live.flush()
  return lines
}

describe('live text', () => {
  it('becomes a line a sentence, with the time of its first words', () => {
    expect(
      linesOf([
        [800, ' Good morning,'],
        [1500, ' everyone.'],
        [65_000, ' Let us'],
        [65_400, ' begin'],
      ]),
    ).toEqual(['0:01  Good morning, everyone.', '1:05  Let us begin'])
  })

  it('breaks before a pause and at 100 characters, and says nothing twice', () => {
    expect(
      linesOf([
        [1000, 'one'],
        [1500, 'two'],
        [1500, 'two'],
        [1000, 'one'],
        [4000, 'three'],
        [4200, 'x'.repeat(96)],
        [4300, 'four'],
      ]),
    ).toEqual(['0:01  one two', `0:04  three ${'x'.repeat(96)}`, '0:04  four'])
  })

  it('shows no control characters of an engine', () => {
    expect(linesOf([[0, 'a\u001b[31mb.']])[0]).not.toContain('\u001b')
  })
})

describe('followText', () => {
  it('names recordings and channels, goes on after an outage, and drains at the end', async () => {
    const text = (at: number, channel: number | null, said: string): StreamedEvent => ({
      id: `${at}-0`,
      atMs: at,
      event: { type: 'text', channel, endMs: at * 1000, text: said },
    })
    const streams: Record<string, StreamedEvent[]> = { a: [text(1, null, 'Hello.')], b: [] }
    let away = 0
    const jobStore = {
      events: async (jobId: string, { afterId }: { afterId: string }) => {
        if (away-- > 0)
          throw new UpstreamError('queue_unavailable', 'Redis is away', { effect: 'none' })
        const after = Number(afterId.split('-')[0])
        return (streams[jobId] ?? []).filter(({ atMs }) => atMs > after)
      },
    } as unknown as JobStore
    const clock = new StepClock()
    const lines: string[] = []
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const jobs = ['a', 'b', 'c'].map((jobId) => ({ jobId, name: `${jobId}.wav` }))
    const options = { ended, write: (line: string) => lines.push(line) }
    const signal = new AbortController().signal
    const following = followText({ jobStore, clock }, jobs, { ...options, signal })
    await clock.advance(1000)
    expect(lines).toEqual(['a.wav  0:01  Hello.'])
    away = 3
    streams.b?.push(text(2, 0, 'Left.'), text(3, 1, 'Right'))
    await clock.advance(1000)
    expect(lines.slice(1)).toEqual(['b.wav  [0]  0:02  Left.'])
    streams.a?.push(text(4, null, 'Bye'))
    end()
    expect(await following).toEqual(new Set(['a', 'b']))
    expect(lines.slice(2).sort()).toEqual(['a.wav  0:04  Bye', 'b.wav  [1]  0:03  Right'])
  })
})
