import type { Clock } from '../../kernel/clock.js'
import type { Random } from '../../kernel/random.js'
import type { LedgerClient } from '../ledger/ledger-client.js'
import type { CutOption } from '../legs/cut-option.js'

/** What a lane needs to go through engines leg by leg. */
export interface LaneChainOptions {
  /** `<jobId>/<lane>` */
  chainId: string
  worker: string
  /** Multiple of real time; 0 for as fast as it goes. */
  pace: number
  live: boolean
  /** All cuts of the lane in order, the end last. */
  cuts: readonly CutOption[]
  clock: Clock
  random: Random
  /** Lanes of jobs that wait and would be let in on an engine if the others made room. */
  waitingLanes(client: LedgerClient): number
  /**
   * The engine for the next leg; may be another one than that of the leg before.
   * @param isStuck there has been no room on the current one for long
   */
  chooseEngine(current: LedgerClient, isStuck: boolean): LedgerClient
}
