import type { SpokenUtterance } from './speak.js'
import { type SamplePlan, wordsOf } from './speech-plan.js'

/** A sample as it was written. */
export interface MadeSample {
  plan: SamplePlan
  durationMs: number | null
  bytes: number
  sha256: string
}

/** The reference beside a sample: what to compare its transcript with. One JSON document. */
export function referenceOf(plan: SamplePlan, spoken: readonly SpokenUtterance[]): string {
  const lanes = Array.from({ length: plan.channelCount }, (_, channel) => ({
    channel,
    text: wordsOf(plan, channel),
  }))
  const reference = {
    name: plan.name,
    file: plan.fileName,
    expect: plan.expect,
    channels: plan.channels,
    text: wordsOf(plan),
    lanes: plan.channels === 'split' ? lanes : [{ channel: null, text: wordsOf(plan) }],
    keyPhrases: plan.keyPhrases,
    utterances: spoken,
  }
  return `${JSON.stringify(reference, null, 2)}\n`
}

/** `samples/README.md`. */
export function readmeOf(samples: readonly MadeSample[]): string {
  const rows = samples.map(({ plan, durationMs, bytes, sha256 }) => {
    const duration = durationMs === null ? '–' : `${(durationMs / 1000).toFixed(1)} s`
    const phrases = plan.keyPhrases.join(', ') || '–'
    const kilobytes = `${Math.ceil(bytes / 1000)} kB`
    return `| \`${plan.fileName}\` | ${plan.shows} | ${duration} | ${kilobytes} | ${phrases} | \`${sha256}\` |`
  })
  return `# Samples

Recordings to try Nightscribe on: \`npm start\` transcribes all of them. The speech is synthetic
(flite's voices reading texts of our own), so nobody's voice is in it.

| file in \`audio/\` | what it is | length | size | key phrases | SHA-256 |
|---|---|---|---|---|---|
${rows.join('\n')}

\`references/<name>.json\` says of each what was spoken (\`text\`, and by channel in \`lanes\`), how it is
to be transcribed (\`channels\`: \`mix\` or \`split\`), what to expect (\`expect\`: \`transcript\`, \`empty\`
or \`error\`), which \`keyPhrases\` its transcript must hold, and in \`utterances\` when each word ends (flite's own
times) and whether somebody else speaks at the same time (\`overlaps\`).

Texts, recordings and scripts are the project's own, under the Apache License 2.0 as everything here.

\`npm run samples\` makes them again, and this page, out of \`scripts/sample-plans.ts\`. Other versions
of flite and ffmpeg than Debian 12's may give other bytes.
`
}
