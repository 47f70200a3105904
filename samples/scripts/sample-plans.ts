import type { Cough, SamplePlan, Utterance, Voice } from './speech-plan.js'

const edgeMs = 400
const shortMs = 600
const turnMs = 900
const longMs = 2_400

const say = (voice: Voice, text: string, pauseMs = turnMs): Utterance => ({ voice, text, pauseMs })

const sayIn = (channel: number, voice: Voice, text: string, pauseMs = turnMs): Utterance => ({
  ...say(voice, text, pauseMs),
  channel,
})

const phone = (voice: Voice, text: string, pauseMs = turnMs): Utterance => ({
  ...say(voice, text, pauseMs),
  isOnPhone: true,
})

const cough = (coughSeed: number, pauseMs = shortMs): Cough => ({ coughSeed, pauseMs })

const standup: SamplePlan = {
  name: 'standup',
  fileName: 'standup.wav',
  shows: 'plain WAV, stereo at 44.1 kHz',
  expect: 'transcript',
  channels: 'mix',
  channelCount: 1,
  encode: ['-ar', '44100', '-ac', '2', '-c:a', 'pcm_s16le', '-f', 'wav'],
  utterances: [
    say('rms', 'Good morning everyone.', shortMs),
    say('rms', 'Yesterday I sent the report to the customer.', edgeMs),
    say('rms', 'Today I will move the recordings to the new server.', shortMs),
    say('rms', 'After lunch I will help with the tests.', edgeMs),
    say('rms', 'Nothing is in my way at the moment.', edgeMs),
  ],
  keyPhrases: ['good morning', 'the report', 'new server', 'in my way'],
}

const meeting: SamplePlan = {
  name: 'meeting',
  fileName: 'meeting.mp3',
  shows:
    'MP3, a hard one: three voices, one of them on a telephone, who interrupt each other, in a room with a fan; somebody coughs',
  expect: 'transcript',
  channels: 'mix',
  channelCount: 1,
  encode: ['-ar', '44100', '-c:a', 'libmp3lame', '-b:a', '48k', '-f', 'mp3'],
  hasRoomTone: true,
  utterances: [
    say('rms', 'Good morning and welcome to our weekly planning meeting.', shortMs),
    say('rms', 'We have three questions on the list today.', shortMs),
    say('rms', 'Let us begin with the first one.'),
    cough(0x1f2e3d),
    say('slt', 'Thank you.', shortMs),
    say('slt', 'We received about two hundred hours of audio from the regional offices.'),
    say('rms', 'That is more than we expected.', shortMs),
    say('rms', 'Is there enough storage for all of them?'),
    say('slt', 'Yes, there is enough storage until the end of the year.', longMs),
    say('rms', 'Please tell us about the machines.'),
    phone('awb', 'They start in the evening and finish early in the morning.'),
    say('rms', 'And how long does it take to process one night of recordings?', -500),
    phone('awb', 'It takes about seven hours, and sometimes a little less.', longMs),
    say('rms', 'What happens when a machine stops in the middle of the night?'),
    phone('awb', 'Then another computer takes over.', shortMs),
    phone('awb', 'Not a single word is lost.'),
    say('slt', 'That is very good news.', longMs),
    say('rms', 'The second question is about the money.', shortMs),
    say('rms', 'How much money do we have left?'),
    cough(0x77aa11),
    say('slt', 'So far we have spent about half of the money.', -700),
    phone('awb', 'And the project is on schedule.', longMs),
    say('rms', 'Can we buy another computer before the summer?'),
    say('slt', 'I believe we can, but I have to ask for the money first.'),
    say('rms', 'When will you have the numbers?'),
    say('slt', 'You will have the numbers on Thursday afternoon.'),
    say('rms', 'Then please write a short proposal and send it to me by Friday.', longMs),
    say('rms', 'I have one more question about the meeting room.', shortMs),
    say('rms', 'Is the large room free next week?'),
    say('slt', 'One moment please.', longMs),
    say('slt', 'Yes, it will be free in the morning.'),
    say('rms', 'Are there any other questions?'),
    phone('awb', 'No, that is everything.'),
    say('rms', "Our next meeting is on Monday at ten o'clock.", shortMs),
    say('rms', 'Thank you very much.', shortMs),
  ],
  keyPhrases: [
    'weekly planning meeting',
    'two hundred hours',
    'enough storage',
    'middle of the night',
    'another computer before the summer',
    'short proposal',
    "monday at ten o'clock",
  ],
}

const call: SamplePlan = {
  name: 'call',
  fileName: 'call.ogg',
  shows: 'a voice in each channel (Vorbis, stereo), transcribed channel by channel',
  expect: 'transcript',
  channels: 'split',
  channelCount: 2,
  encode: ['-ar', '48000', '-c:a', 'libvorbis', '-q:a', '2', '-f', 'ogg'],
  utterances: [
    sayIn(0, 'rms', 'Hello, my name is Robert Miller.', shortMs),
    sayIn(0, 'rms', 'I have a question about a recording.'),
    sayIn(1, 'slt', 'Good afternoon. What can I do for you?'),
    sayIn(0, 'rms', 'The meeting about the new building, on the second of March.'),
    sayIn(1, 'slt', 'One moment please. Yes, the transcript is ready.'),
    sayIn(0, 'rms', 'Could you send it to my office this afternoon?'),
    sayIn(1, 'slt', 'Yes, you will receive it in a few minutes.', shortMs),
  ],
  keyPhrases: ['robert miller', 'the new building', 'transcript is ready', 'in a few minutes'],
}

const interview: SamplePlan = {
  name: 'interview',
  fileName: 'interview.m4a',
  shows: 'AAC in M4A with its index (moov) at the end, as phones record it',
  expect: 'transcript',
  channels: 'mix',
  channelCount: 1,
  encode: ['-ar', '44100', '-c:a', 'aac', '-b:a', '64k', '-f', 'ipod'],
  utterances: [
    say('slt', 'Welcome to our program.', shortMs),
    say('slt', 'Today we are talking with the director of the city archive.'),
    say('rms', 'I am happy to be here.'),
    say('slt', 'How long have you been working with sound recordings?'),
    say('rms', 'I have been here for more than twenty years.', shortMs),
    say('rms', 'In the beginning there was only a small room full of paper.'),
    say('slt', 'What has changed since then?'),
    say('rms', 'Students, teachers and many families come to us every day.', shortMs),
    say('rms', 'The oldest recording is almost one hundred years old.', shortMs),
    say('rms', 'It is a woman who talks about her first day at school.', shortMs),
  ],
  keyPhrases: [
    'the director',
    'more than twenty years',
    'has changed since then',
    'one hundred years old',
  ],
}

const webinar: SamplePlan = {
  name: 'webinar',
  fileName: 'webinar.webm',
  shows: 'Opus in WebM without a duration in its header, as browsers record it',
  expect: 'transcript',
  channels: 'mix',
  channelCount: 1,
  encode: ['-ar', '48000', '-c:a', 'libopus', '-b:a', '32k', '-f', 'webm'],
  piped: true,
  utterances: [
    say('rms', 'This is a short story about a very long night.'),
    say('rms', 'First the computer looks for the pauses between the sentences.'),
    say('rms', 'Then the speech is sent to the server in very small pieces.'),
    say('rms', 'At the end of the night every document is ready to be read.'),
    say('slt', 'Are there any questions from the audience?', shortMs),
  ],
  keyPhrases: ['very long night', 'between the sentences', 'small pieces', 'questions'],
}

const lecture: SamplePlan = {
  name: 'lecture',
  fileName: 'lecture.flac',
  shows: 'FLAC, one voice',
  expect: 'transcript',
  channels: 'mix',
  channelCount: 1,
  encode: ['-ar', '16000', '-c:a', 'flac', '-compression_level', '8', '-f', 'flac'],
  utterances: [
    say('rms', 'The history of public records is very long.'),
    say('rms', 'When people make a decision, somebody should write it down.'),
    say('rms', 'For many centuries this was the work of a single person with a pen.'),
    say('rms', 'The invention of the telephone and the tape recorder changed everything.'),
    say('rms', 'For the first time it was possible to keep the voice itself.', shortMs),
  ],
  keyPhrases: ['the history of public', 'many centuries', 'tape recorder', 'the voice itself'],
}

const townhall: SamplePlan = {
  name: 'townhall',
  withPicture: true,
  fileName: 'townhall.mp4',
  shows: 'video: H.264 and AAC in MP4, two voices',
  expect: 'transcript',
  channels: 'mix',
  channelCount: 1,
  encode: [
    ...['-c:v', 'libx264', '-preset', 'veryslow', '-crf', '40', '-pix_fmt', 'yuv420p'],
    ...['-ar', '48000', '-c:a', 'aac', '-b:a', '64k', '-movflags', '+faststart', '-f', 'mp4'],
  ],
  utterances: [
    say('slt', 'Good evening and thank you for coming tonight.', shortMs),
    say('slt', 'Tonight we discuss the future of the public library.'),
    say('kal16', 'The library has more visitors than ever before.', shortMs),
    say('kal16', 'The building is very old, and the roof must be repaired before the winter.'),
    say('slt', 'The number of visitors has doubled in the last ten years.'),
    say('kal16', 'The work begins in the spring and it will take about six months.'),
    say('slt', 'Are there any questions from the audience?', shortMs),
  ],
  keyPhrases: ['public library', 'before the winter', 'last ten years', 'six months'],
}

const silence: SamplePlan = {
  name: 'silence',
  fileName: 'silence.flac',
  shows: 'ten seconds in which nobody speaks: an empty transcript, not an error',
  expect: 'empty',
  channels: 'mix',
  channelCount: 1,
  silenceMs: 10_000,
  encode: ['-ar', '16000', '-c:a', 'flac', '-compression_level', '8', '-f', 'flac'],
  utterances: [],
  keyPhrases: [],
}

const broken: SamplePlan = {
  name: 'broken',
  fileName: 'broken.mp3',
  shows: 'no recording at all, but a web page saved under a name that says so',
  expect: 'error',
  channels: 'mix',
  channelCount: 1,
  encode: [],
  utterances: [],
  keyPhrases: [],
}

/** All samples, in the order of the table in `samples/README.md`. */
export const samplePlans: readonly SamplePlan[] = [
  standup,
  meeting,
  call,
  interview,
  webinar,
  lecture,
  townhall,
  silence,
  broken,
]
