import type { Redis } from 'ioredis'

/**
 * Makes `disconnect` end a client, and its duplicates, also while it waits between two connections.
 * ioredis itself only stops the timer of the next connection there (redis/ioredis#2169): no `end`
 * event ever comes, and no answer to commands already given. A worker that was told to stop in that
 * moment waited for both for ever (taskforcesh/bullmq#4656).
 */
export function patchDisconnect(client: Redis): Redis {
  const { disconnect, duplicate } = client
  client.disconnect = (reconnect = false) => {
    // Each command that a replica refuses asks for a new connection; only the first one gets it,
    // or each of them would cut off the one before.
    if (reconnect && client.stream?.writableEnded) return
    // In the status `wait` ioredis ends a client at once, and rejects the commands that wait.
    if (!reconnect && client.status === 'reconnecting') client.status = 'wait'
    disconnect.call(client, reconnect)
  }
  client.duplicate = ((override) =>
    patchDisconnect(duplicate.call(client, override) as Redis)) as Redis['duplicate']
  return client
}
