import { describe, expect, it } from 'vitest'
import {
  analysisKey,
  attemptPrefix,
  audioKey,
  checkpointKey,
  failureKey,
  isJobFile,
  isOwnUpload,
  jobKey,
  jobPrefix,
  manifestKey,
  peaksKey,
  RESULT_NAMES,
  recordingKey,
} from '../../../src/storage/keys.js'

const JOB = 'cwjsrw9zyypzbjhw0pqerms4h7'
const inJob = (key: string) => key.slice(jobPrefix(JOB).length)

describe('what we write below a job', () => {
  it('is known by its name, whatever a result is made of', () => {
    const keys = [
      ...[jobKey(JOB), analysisKey(JOB), audioKey(JOB), manifestKey(JOB), failureKey(JOB, 12)],
      ...[peaksKey(JOB, null), peaksKey(JOB, 3), checkpointKey(JOB, 2, 7)],
      ...RESULT_NAMES.map((name) => attemptPrefix(JOB, 3) + name),
    ]
    expect(keys.filter((key) => !isJobFile(inJob(key)))).toEqual([])
  })

  it.each([
    'notes.txt',
    'a1/notes.txt',
    'a1/transcript.srt.bak',
    'a1/x/transcript.srt',
    'transcript.srt',
    'ax/metrics.json',
    'checkpoints/1-000001.json.tmp',
    '',
  ])('%j is not ours', (name) => {
    expect(isJobFile(name)).toBe(false)
  })
})

it('uploads of ours are known by their keys', () => {
  const own = [audioKey(JOB), recordingKey('0'.repeat(32), 'wav'), recordingKey('a'.repeat(32), '')]
  const foreign = ['jobs/meetings/audio.flac', 'recordings/monday/source.wav', 'audio.flac']
  expect([...own, ...foreign].filter(isOwnUpload)).toEqual(own)
})
