import { brokenRecordings } from './broken-recordings.js'
import { noRecordings } from './no-recordings.js'
import type { OddInput } from './odd-input.js'
import { oddRecordings } from './odd-recordings.js'
import { outsideReferences } from './outside-references.js'

/** Every file of the corpus; the names are all different. */
export const CORPUS: readonly OddInput[] = [
  ...oddRecordings,
  ...brokenRecordings,
  ...noRecordings,
  ...outsideReferences,
]
