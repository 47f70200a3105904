/** White noise with a normal distribution from a seed (whole number), clipped to 16 bits. */
export function whiteNoise(noise: { seed: number; samples: number; rms: number }): Int16Array {
  let state = noise.seed >>> 0
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state + 1) / 2 ** 32
  }
  return Int16Array.from({ length: noise.samples }, () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
    return Math.min(32_767, Math.max(-32_768, Math.round(normal * noise.rms)))
  })
}

/** Adds two signals of the same length, clipped to 16 bits. */
export function mixed(left: Int16Array, right: Int16Array): Int16Array {
  return left.map((sample, index) => {
    return Math.min(32_767, Math.max(-32_768, sample + (right[index] as number)))
  })
}
