import type { Redis } from 'ioredis'

/**
 * Makes `disconnect` of a client, and of its duplicates, end it also while it rests between two
 * connections. ioredis only stops the timer of the next one there (redis/ioredis#2169): no `end`
 * ever comes, and no answer to what was asked. A worker told to stop in that moment waited for
 * both for ever (taskforcesh/bullmq#4656).
 */
export function patchDisconnect(client: Redis): Redis {
  const { disconnect, duplicate } = client
  client.disconnect = (reconnect = false) => {
    // Each of the commands that a replica refuses asks for another connection: one is enough.
    if (reconnect && client.stream?.writableEnded) return
    // One that waits for its first connection ends at once, and what was asked ends with it.
    if (!reconnect && client.status === 'reconnecting') client.status = 'wait'
    disconnect.call(client, reconnect)
  }
  client.duplicate = ((override) =>
    patchDisconnect(duplicate.call(client, override) as Redis)) as Redis['duplicate']
  return client
}
