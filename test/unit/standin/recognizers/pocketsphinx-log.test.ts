import { describe, expect, it } from 'vitest'
import { PocketsphinxLog } from '../../../../gpu/standin/recognizers/pocketsphinx-log.js'

/** What `pocketsphinx_batch` 0.8 logs of an utterance, shortened. */
const UTTERANCE = `INFO: batch.c(729): Decoding 'u1'
INFO: cmn.c(133): CMN: 52.31 -2.43 13.34 22.80  7.58
INFO: ngram_search_fwdtree.c(1562): fwdtree 1.23 CPU 0.178 xRT
INFO: pocketsphinx.c(1168): let us start to (-27000)
word                 start end   pprob ascr       lscr       lback
INFO: ngram_search.c(1025): bestpath 0.00 CPU 0.000 xRT
<s>                  0     17    1.000 -267264    0          1  
let                  18    43    0.214 -1314816   -501       1  
us                   44    69    0.975 -915456    -192       2  
<sil>                70    75    0.927 -294912    -524288    3  
[NOISE]              76    80    0.100 -294912    -524288    3  
++UM++               81    82    0.100 -294912    -524288    3  
to(3)                83    99    0.557 -447488    -166       2  
</s>                 100   117   1.000 -824320    -108       2  
INFO: batch.c(760): u1: 6.91 seconds speech, 1.50 seconds CPU, 5.57 seconds wall
let us to (u1 -27000)
u1 done --------------------------------------`

describe('PocketsphinxLog', () => {
  it('finds words with the time at which they are over, and nothing that is none', async () => {
    const log = new PocketsphinxLog()
    const words = log.wordsOf('u1')
    for (const line of UTTERANCE.split('\n')) log.addLine(line)
    expect(await words).toEqual([
      { text: 'let', endMs: 440 },
      { text: 'us', endMs: 700 },
      { text: 'to', endMs: 1000 },
    ])
  })

  it('keeps utterances apart, and one without words has none', async () => {
    const log = new PocketsphinxLog()
    for (const line of UTTERANCE.split('\n')) log.addLine(line)
    const words = log.wordsOf('u2')
    log.addLine('u2 done --------------------------------------')
    expect(await words).toEqual([])
  })

  it('remembers what the program complained of last', () => {
    const log = new PocketsphinxLog()
    expect(log.complaint).toBeNull()
    log.addLine('ERROR: "acmod.c", line 79: Folder does not contain a model')
    log.addLine('INFO: something else')
    expect(log.complaint).toBe('ERROR: "acmod.c", line 79: Folder does not contain a model')
  })
})
