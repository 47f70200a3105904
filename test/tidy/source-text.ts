import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

/** A text file of the repository, its path relative to the root, with slashes. */
export interface SourceText {
  path: string
  text: string
}

/** Made, installed or private: not ours to check. */
const skippedFolders = new Set(['node_modules', 'dist', 'data', 'coverage'])
const textEndings = new Set(['.ts', '.mjs', '.json', '.md', '.yaml', '.sh', '.ndjson', ''])

/** Every text file of the repository; of what begins with a dot only `.ci`. */
export function readRepository(root: string): SourceText[] {
  const files: SourceText[] = []
  const walk = (folder: string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.name.startsWith('.') && entry.name !== '.ci') continue
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) walk(path)
      } else if (entry.isFile() && textEndings.has(extname(entry.name))) {
        files.push({ path, text: readFileSync(join(root, path), 'utf8') })
      }
    }
  }
  walk('')
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** True for program text. */
export function isCode({ path }: SourceText): boolean {
  return path.endsWith('.ts') || path.endsWith('.mjs')
}

/** True for a file below one of these folders. */
export function isIn({ path }: SourceText, ...folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(`${folder}/`))
}

/** Code split up: both have the code's length and line breaks, with blanks for the other's text. */
export interface CodeParts {
  /** Without comments, and without the contents of texts and patterns. */
  program: string
  comments: string
}

const comment = /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)/
const text = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/
const hole = /\$\{(?:[^{}`]|\{[^{}]*\})*\}/
const template = new RegExp(`(?<template>\`(?:\\\\.|${hole.source}|[^\`\\\\])*\`)`)
/** After what ends no value, a slash begins a pattern. */
const pattern =
  /(?<=[(,=>:[!&|?{};\n]\s*|\breturn\s+)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/
const token = new RegExp(
  [comment, text, template, pattern].map((each) => each.source).join('|'),
  'g',
)

/** Tells program, texts and comments apart, well enough for code that a formatter has laid out. */
export function partsOf(code: string): CodeParts {
  let program = ''
  let comments = ''
  let at = 0
  const take = (upTo: number) => {
    program += code.slice(at, upTo)
    comments += blanked(code.slice(at, upTo))
    at = upTo
  }
  for (const match of code.matchAll(token)) {
    take(match.index)
    const [whole] = match
    const isComment = match.groups?.comment !== undefined
    const isTemplate = match.groups?.template !== undefined
    // What stands in the holes of a template is program.
    program += isTemplate ? holesOf(whole) : blanked(whole)
    comments += isComment ? whole : blanked(whole)
    at += whole.length
  }
  take(code.length)
  return { program, comments }
}

function blanked(text: string): string {
  return text.replace(/[^\n]/g, ' ')
}

function holesOf(literal: string): string {
  let holes = ''
  let at = 0
  for (const found of literal.matchAll(new RegExp(hole.source, 'g'))) {
    holes += blanked(literal.slice(at, found.index)) + found[0]
    at = found.index + found[0].length
  }
  return holes + blanked(literal.slice(at))
}

/** The 1-based line of a place in a text. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
