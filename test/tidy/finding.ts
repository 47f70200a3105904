import type { SourceText } from './source-text.js'

/** Something that a check objects to. */
export interface Finding {
  check: string
  path: string
  /** 1-based; 0 where it is about the whole file. */
  line: number
  what: string
}

/** A rule of the house over the whole repository. */
export interface Check {
  name: string
  find(files: readonly SourceText[]): Finding[]
}

/** A check that looks at one file at a time. */
export function fileCheck(
  name: string,
  applies: (file: SourceText) => boolean,
  find: (file: SourceText) => readonly { line: number; what: string }[],
): Check {
  return {
    name,
    find: (files) =>
      files
        .filter(applies)
        .flatMap((file) => find(file).map((found) => ({ check: name, path: file.path, ...found }))),
  }
}
