/**
 * Whether an engine's version is at least `minimum`. Compares the leading numbers of `0.25`,
 * `0.32.0`, `v0.32` or `0.32.1.dev3+g1a2b3c`: a development build counts as its release.
 * @returns null for a version that doesn't begin with two numbers
 */
export function versionAtLeast(version: string, minimum: string): boolean | null {
  const [given, wanted] = [numbersOf(version), numbersOf(minimum)]
  if (given === null || wanted === null) return null
  for (let index = 0; index < 3; index += 1) {
    const difference = (given[index] ?? 0) - (wanted[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

function numbersOf(version: string): number[] | null {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version.trim())
  return match ? match.slice(1).map((part) => Number(part ?? 0)) : null
}
