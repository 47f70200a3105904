import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Loaded into a worker that is measured (`node --import`): a SIGUSR2 collects all garbage and
 * closes the holes that it leaves, so that what is resident then is what the worker keeps.
 */
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

process.on('SIGUSR2', () => {
  setFlagsFromString('--compact-on-every-full-gc')
  collect()
  collect() // what the first one found to be finalized
  setFlagsFromString('--no-compact-on-every-full-gc')
})
