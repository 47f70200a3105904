import { setMaxListeners } from 'node:events'
import { type CallOptions, unstopped } from '../../src/kernel/abort.js'

/** For calls that nobody stops. */
export const OPEN: CallOptions = unstopped()
setMaxListeners(0, OPEN.signal)
